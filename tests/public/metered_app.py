"""A web application with its metrics, and the configuration of gunicorn for it, as users would write them."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flyllm import LLMError, LLMManager, metrics_app

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def app_at(url: str) -> "WSGIApplication":
    """Return an application that asks a provider at `url` on `/ask`, and says which process did."""
    builder = LLMManager.builder().metrics().max_retries(9)
    builder.add_instance("groq", "llama-3", "k-0123456789abcdef", name="only").custom_endpoint(url)
    manager, metrics = builder.build(), metrics_app()

    def app(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/ask":
            return metrics(environ, start)
        process = str(os.getpid())
        try:
            manager.generate(process, timeout=60)
        except LLMError as error:
            start("503 Service Unavailable", [("Content-Type", "text/plain")])
            return [type(error).__name__.encode()]
        start("200 OK", [("Content-Type", "text/plain")])
        return [process.encode()]

    return app


def child_exit(server: Any, worker: Any) -> None:
    """Take the gauges of a worker that has ended away; called by gunicorn."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
