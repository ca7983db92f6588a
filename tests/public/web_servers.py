"""Real WSGI servers on loopback ports, and a browser's side of them."""

import http.client
import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from tests.public.processes import HANG, ROOT, environment
from tests.public.web_apps import APPS, manager_of

HOST = "127.0.0.1"


class _ThreadedWSGIServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None: ...


def _werkzeug(app: Any) -> HTTPServer:
    from werkzeug.serving import make_server

    return make_server(HOST, 0, app, threaded=True)


def _django(app: Any) -> HTTPServer:
    from django.core.servers import basehttp  # type: ignore[import-untyped]

    return _serving(app, basehttp.ThreadedWSGIServer((HOST, 0), basehttp.WSGIRequestHandler))


def _wsgiref(app: Any) -> HTTPServer:
    return _serving(app, _ThreadedWSGIServer((HOST, 0), _Quiet))


def _serving(app: Any, server: WSGIServer) -> WSGIServer:
    server.set_app(app)
    return server


_SERVERS = {"flask": _werkzeug, "django": _django, "bare": _wsgiref}


@contextmanager
def in_thread(framework: str, upstream: str) -> Iterator[int]:
    """Serve the application of that framework by its own development server; give the port."""
    with manager_of(upstream) as manager, _SERVERS[framework](APPS[framework](manager)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def gunicorn(upstream: str) -> Iterator[int]:
    """Serve the Flask application by gunicorn, its threads in a process of their own; give the port."""
    app = f"tests.public.web_apps:flask_app_at({upstream!r})"
    options = ("--worker-class=gthread", "--threads=4", "--graceful-timeout=1", "--no-control-socket")
    with socket.create_server((HOST, 0)) as listener:
        number = listener.fileno()
        command = [sys.executable, "-m", "gunicorn", "--log-level=error", *options, f"--bind=fd://{number}", app]
        process = subprocess.Popen(command, cwd=ROOT, env=environment(), pass_fds=[number])
        try:
            yield listener.getsockname()[1]
        finally:
            process.terminate()
            process.wait(HANG)


class Browser:
    """One request under way: its status and headers are there, its events come as they are read."""

    def __init__(self, port: int, path: str = "/answer") -> None:
        self._socket = socket.create_connection((HOST, port), timeout=HANG)
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        self.response = http.client.HTTPResponse(self._socket)
        self.response.begin()

    def events(self) -> Iterator[tuple[str, Any]]:
        """Yield the name and the decoded data of every event, as the standard has them parsed."""
        name, data = "message", ""
        while line := self.response.readline().decode():
            field, _, value = line.removesuffix("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data += value
            elif not field:
                yield name, json.loads(data)
                name, data = "message", ""

    def leave(self, *, reset: bool = False) -> None:
        """Close the connection; with `reset` by RST, as a process that is killed does."""
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.response.close()
        self._socket.close()

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


def body(port: int, path: str) -> str:
    """Return the whole answer as text."""
    with Browser(port, path) as browser:
        return browser.response.read().decode()
