"""What is served over HTTP, as a WSGI application for any server: /metrics, /dashboard and /health."""

from collections.abc import Iterable
from importlib import resources
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app

from flyllm.observability.prometheus.forks import scraping
from flyllm.observability.prometheus.processes import registry_of_all, several

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

TEXT, JSON = "text/plain; charset=utf-8", "application/json"


def metrics_app(registry: CollectorRegistry | None = None) -> "WSGIApplication":
    """Return a WSGI application that serves what is in `registry`; None takes prometheus_client's own.

    `/metrics` is for Prometheus, `/dashboard` the Grafana dashboard as JSON, `/health` says OK. Mounted by itself at a
    path that ends in one of these names, it serves that. Where PROMETHEUS_MULTIPROC_DIR is set, the metrics of all
    processes are served, whatever the registry; ConfigError if that is no folder.
    """
    pages = {"/metrics": _metrics(registry), "/dashboard": _dashboard, "/health": _health}

    def app(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        page = pages.get(_path(environ))
        if page is None:
            return _plain(environ, start, "404 Not Found", f"There is {', '.join(pages)}.\n".encode())
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _plain(environ, start, "405 Method Not Allowed", b"GET or HEAD only.\n", ("Allow", "GET, HEAD"))
        return page(environ, start)

    return app


def _path(environ: "WSGIEnvironment") -> str:
    path: str = environ.get("PATH_INFO", "").rstrip("/")
    return path or "/" + environ.get("SCRIPT_NAME", "").rstrip("/").rpartition("/")[2]


def _metrics(registry: CollectorRegistry | None) -> "WSGIApplication":
    app: WSGIApplication = make_wsgi_app(registry_of_all() if several() else REGISTRY if registry is None else registry)

    def metrics(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        with scraping:
            body = b"".join(app({**environ, "REQUEST_METHOD": "GET"}, start))
        return _answer(environ, body)

    return metrics


def _dashboard(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
    body = resources.files(__package__).joinpath("dashboard.json").read_bytes()
    start("200 OK", [("Content-Type", JSON), ("Content-Length", str(len(body)))])
    return _answer(environ, body)


def _health(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
    return _plain(environ, start, "200 OK", b"OK")


def _plain(
    environ: "WSGIEnvironment", start: "StartResponse", status: str, body: bytes, *headers: tuple[str, str]
) -> Iterable[bytes]:
    start(status, [("Content-Type", TEXT), ("Content-Length", str(len(body))), *headers])
    return _answer(environ, body)


def _answer(environ: "WSGIEnvironment", body: bytes) -> Iterable[bytes]:
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
