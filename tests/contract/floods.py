"""A server that answers with more than anybody can take: bytes without end, headers without end, bombs."""

import contextlib
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Self

MIB = 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def endless() -> Iterator[bytes]:
    """A chunked body without end."""
    yield OK + b"transfer-encoding: chunked\r\n\r\n"
    piece = chunk(b"{" + b" " * (MIB - 1))
    while True:
        yield piece


def announced() -> Iterator[bytes]:
    """A body of 5 GB that says so."""
    yield OK + b"content-length: 5000000000\r\n\r\n"
    while True:
        yield bytes(MIB)


def bomb() -> Iterator[bytes]:
    """10 GB of blanks, packed into 10 MB."""
    yield OK + b"content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"
    packer, blanks = zlib.compressobj(9, wbits=31), b" " * MIB
    for _ in range(10_000):
        if piece := packer.compress(blanks):
            yield chunk(piece)


def headers() -> Iterator[bytes]:
    """Headers of 10 MB."""
    yield OK
    for number in range(10_000):
        yield b"x-%d: %b\r\n" % (number, b"y" * 1000)
    yield b"content-length: 2\r\n\r\n{}"


def one_header() -> Iterator[bytes]:
    """A header of 10 MB."""
    yield OK + b"x: "
    for _ in range(10):
        yield b"y" * MIB
    yield b"\r\ncontent-length: 2\r\n\r\n{}"


FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    each.__name__: each for each in (endless, announced, bomb, headers, one_header)
}


class FloodServer:
    """Answers with the flood that the first part of the path names. `sent` counts bytes, `requests` requests."""

    def __init__(self) -> None:
        self.sent = self.requests = 0
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listening.accept()
                threading.Thread(target=self._answer, args=(sock,), daemon=True).start()

    def _answer(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            sock.settimeout(20)
            if not (head := sock.recv(MIB)):
                return
            self.requests += 1
            for piece in FLOODS[head.split(b"/")[1].decode()]():
                sock.sendall(piece)
                self.sent += len(piece)
