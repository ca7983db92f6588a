"""Servers for what the simulator does not do: bare sockets that play a script, and limits without a header."""

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from tests.contract.fault_matrix.invariants import echo

Script = Callable[["RawServer", socket.socket], None]
"""What happens on one accepted connection, which is closed afterwards."""


@dataclass(frozen=True)
class Seen:
    """One request as it came, and when (seconds since the epoch)."""

    raw: bytes
    time: float


class RawServer:
    """Plays `script` on every connection it accepts, each in a thread. With `tls`, only after a handshake."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script, self._tls = script, tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()  # guards _open and what the records below count
        self.requests: list[Seen] = []
        self.connections = self.sent = 0
        threading.Thread(target=self._accept, name="raw-accept", daemon=True).start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """The bare address."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def count(self) -> int:
        """Requests read so far."""
        return len(self.requests)

    def read(self, connection: socket.socket) -> bytes | None:
        """Return the next request, head and body; None where the client has gone."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (piece := connection.recv(65536)):
                return None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        while length and len(body) < int(length.group(1)):
            body += connection.recv(65536)
        with self._lock:
            self.requests.append(Seen(head + body, time.time()))
        return head + b"\r\n\r\n" + body

    def send(self, connection: socket.socket, data: bytes) -> None:
        """Send and count bytes."""
        connection.sendall(data)
        with self._lock:
            self.sent += len(data)

    def close(self) -> None:
        """End everything."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._play, args=(connection,), name="raw-connection", daemon=True).start()

    def _play(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
        with connection, suppress(OSError, ssl.SSLError):
            if self._tls is None:
                self._script(self, connection)
            else:
                with self._tls.wrap_socket(connection, server_side=True) as wrapped:
                    self._script(self, wrapped)
        with self._lock:
            self._open.discard(connection)


class BlackholedPort:
    """A port that lets connection attempts run into nothing: its queue is full and nobody accepts."""

    def __init__(self) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._filling = [self._knock() for _ in range(4)]

    def _knock(self) -> socket.socket:
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", self.port))
        return sock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (*self._filling, self._listener):
            sock.close()


Admission = Callable[[int, float], bool]
"""Whether to take a request, given how many are being answered, itself included, and the monotonic time."""


class LimitedServer(RawServer):
    """An OpenAI that turns requests down by a rule of the test's, with a 429 that has no Retry-After."""

    def __init__(self, admits: Admission, latency: float = 0.0) -> None:
        self._admits, self._latency = admits, latency
        self._deciding = threading.Lock()  # guards the five below
        self._busy = 0
        self.peak = self.refused = 0
        self.taken: list[float] = []
        self.refusals: list[float] = []
        super().__init__(_serve_limited)

    def admitted(self) -> bool:
        """Decide on one request and count it."""
        with self._deciding:
            now = time.monotonic()
            self._busy += 1
            taken = self._admits(self._busy, now)
            if taken:
                self.taken.append(now)
                self.peak = max(self.peak, self._busy)
            else:
                self._busy -= 1
                self.refused += 1
                self.refusals.append(now)
            return taken

    def answer(self, request: bytes) -> bytes:
        """Return the reply to `request` after the latency."""
        if not self.admitted():
            error = {"message": "Rate limit reached.", "type": "requests", "code": "rate_limit_exceeded"}
            return reply(json.dumps({"error": error}).encode(), "429 Too Many Requests")
        time.sleep(self._latency)
        with self._deciding:
            self._busy -= 1
        text = echo(request.decode())
        streamed = re.search(rb'"stream": ?true', request) is not None
        return sse_reply(chunks(text)) if streamed else reply(completion(text))


def _serve_limited(server: RawServer, connection: socket.socket) -> None:
    assert isinstance(server, LimitedServer)
    while (request := server.read(connection)) is not None:
        server.send(connection, server.answer(request))


# ---- replies of an OpenAI, as bytes


def reply(body: bytes, status: str = "200 OK", *headers: str, content_type: str = "application/json") -> bytes:
    """Return an HTTP reply with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"content-type: {content_type}", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def sse_reply(body: bytes) -> bytes:
    """Return a streamed reply."""
    return reply(body, content_type="text/event-stream")


def completion(text: str) -> bytes:
    """Return a whole answer."""
    return json.dumps({"choices": [whole_choice(text)], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}).encode()


def whole_choice(text: str) -> dict[str, object]:
    """Return the one choice of an answer."""
    return {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}


def chunks(text: str) -> bytes:
    """Return the events of a streamed answer, cut into words."""
    pieces = re.findall(r"\S+\s*", text)
    deltas: list[tuple[dict[str, object], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": piece}, None) for piece in pieces]
    deltas.append(({}, "stop"))
    events = [json.dumps({"choices": [{"index": 0, "delta": d, "finish_reason": f}]}) for d, f in deltas]
    return "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode()
