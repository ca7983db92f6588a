"""A tiny HTTP server on 127.0.0.1 that gives one chosen reply, byte for byte, in pieces of any size, also cut short."""

import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any, Literal

from tests.contract.recordings import Recording

Ending = Literal["whole", "clean", "close", "reset", "stall"]


@dataclass(frozen=True)
class Reply:
    """What the server answers.

    Attributes:
        cuts: offsets in the body at which a new piece (an HTTP chunk) begins.
        stop_after: bytes of the body that are sent, None for all of it.
        ending: after the last byte sent, "whole" and "clean" end the reply properly, "close" closes the connection
            amid the reply, "reset" resets it, "stall" sends nothing more until the client goes.
        framing: "chunked", "length" (Content-Length of the whole body) or "close" (ends with the connection).
        silent: read the request, then end the connection (by `ending`) without a byte.
    """

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cuts: Sequence[int] = ()
    stop_after: int | None = None
    ending: Ending = "whole"
    framing: Literal["chunked", "length", "close"] = "chunked"
    silent: bool = False

    @property
    def pieces(self) -> list[bytes]:
        """The body as sent, piece by piece."""
        body = self.body if self.stop_after is None else self.body[: self.stop_after]
        marks = [0, *sorted({cut for cut in self.cuts if 0 < cut < len(body)}), len(body)]
        return [body[a:b] for a, b in pairwise(marks) if a < b]


def reply(recording: Recording, cuts: Sequence[int] = (), **changes: Any) -> Reply:
    """Return the reply of `recording`, in pieces that begin at `cuts`."""
    return Reply(
        status=recording.status,
        content_type=recording.content_type,
        body=recording.content,
        headers=recording.headers,
        cuts=cuts,
        **changes,
    )


def every(size: int, body: bytes) -> range:
    """Return the cuts that make pieces of `size` bytes; size 0 leaves the body whole."""
    return range(size, len(body), size) if size else range(0)


@dataclass(frozen=True)
class Seen:
    """One request as it came over the wire. `headers` are (lower-case name, value) in order."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    def all(self, name: str) -> list[str]:
        """Return every value of header `name`."""
        return [value for key, value in self.headers if key == name]


class ReplayServer(ThreadingHTTPServer):
    """Answers every request with `reply` and remembers what it saw; `connections` counts those accepted."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply = Reply()
        self.seen: list[Seen] = []
        self.connections = 0
        self.closing = threading.Event()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def play(self, reply: Reply) -> str:
        """Answer with `reply` from now on, forget what was seen, return the origin."""
        self.reply = reply
        self.seen = []
        return self.origin

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection and count it."""
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: clients that go away early are what many tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ReplayServer

    def answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = tuple((name.lower(), value) for name, value in self.headers.items())
        self.server.seen.append(Seen(self.command, self.path, headers, content))
        reply = self.server.reply
        if not reply.silent:
            self.send_response(reply.status)
            self.send_header("content-type", reply.content_type)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self._frame(reply)
            self.end_headers()
            self._send(reply)
        if reply.silent or reply.framing == "close" or reply.ending not in ("whole", "clean"):
            self._leave(reply.ending)

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def _frame(self, reply: Reply) -> None:
        if reply.framing == "chunked":
            self.send_header("transfer-encoding", "chunked")
        elif reply.framing == "length":
            self.send_header("content-length", str(len(reply.body)))

    def _send(self, reply: Reply) -> None:
        if reply.framing != "chunked":
            self.wfile.write(b"".join(reply.pieces))
            return
        # One write: the receiver sees each HTTP chunk apart however TCP packs them.
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in reply.pieces]
        end = [b"0\r\n\r\n"] if reply.ending in ("whole", "clean") else []
        self.wfile.write(b"".join([*chunks, *end]))

    def _leave(self, ending: Ending) -> None:
        self.close_connection = True
        if ending == "stall":
            self.server.closing.wait(30)
        elif ending == "reset":
            # Closed here, with no shutdown before it, so that a reset goes out and not an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


@contextmanager
def replay_server() -> Iterator[ReplayServer]:
    """Run a `ReplayServer` in a thread."""
    server = ReplayServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
