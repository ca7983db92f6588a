"""The metrics on a port of their own, for programs that serve no HTTP."""

import errno
import logging
import socket
import threading
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry

from flyllm._fork import after_fork
from flyllm.errors import ConfigError
from flyllm.observability.prometheus.exposition import metrics_app

logger = logging.getLogger("flyllm.metrics")

_POLL = 0.1
"""Seconds that `close` may take."""


def start_metrics_server(
    port: int = 9090, host: str = "127.0.0.1", registry: CollectorRegistry | None = None
) -> "MetricsServer":
    """Serve /metrics, /dashboard and /health in a thread of its own, until it is closed or the process ends.

    Port 0 takes a free one. The host "0.0.0.0" lets other machines in: there are no secrets in it, but no password
    either. Raises ConfigError where the port is in use, and what `metrics_app` raises.
    """
    return MetricsServer(port, host, registry)


class MetricsServer:
    """A server that runs. A context manager: leaving it closes the server. A forked child has none."""

    def __init__(self, port: int, host: str, registry: CollectorRegistry | None) -> None:
        app = metrics_app(registry)
        try:
            self._server = (_Server6 if ":" in host else _Server)((host, port), _Quiet)
        except (OSError, OverflowError) as error:
            raise ConfigError(f"no metrics at {host}, port {port}: {_reason(error)}") from None
        self._server.set_app(app)
        self._closing = threading.Lock()  # guards _open, and is held until all is closed
        self._open = True
        self.host, self.port = host, self._server.server_port
        # A method of ours: this lives as long as the thread, also where nobody keeps it.
        self._thread = threading.Thread(target=self._serve, name="flyllm-metrics-server", daemon=True)
        self._thread.start()
        after_fork(self, MetricsServer._let_go)

    @property
    def url(self) -> str:
        """The address to which the paths are added."""
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def close(self) -> None:
        """End it, and free the port. May be called again."""
        with self._closing:
            if self._open:
                self._open = False
                self._server.shutdown()
                self._thread.join()
                self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _serve(self) -> None:
        self._server.serve_forever(_POLL)

    def _let_go(self) -> None:
        """Leave the port to the parent, whose thread serves it."""
        self._closing, self._open = threading.Lock(), False
        self._server.socket.close()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # past the inherited one, which asks a name server who we are
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        logger.debug("a client of the metrics went away", exc_info=True)


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    timeout = 30  # seconds for a client that says nothing

    def log_message(self, *_: object) -> None:
        """Say nothing: a scrape comes every few seconds."""


def _reason(error: OSError | OverflowError) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return "the port is in use, by another process or by an earlier call; port=0 takes a free one"
    return str(error)
