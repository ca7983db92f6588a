"""HTTP/1.1 over a connection: one request out, in one piece, and one answer in.

Answers are read by llhttp, the parser of Node.js, through the httptools package. h11, which the HTTP libraries use, is
Python, and with httpcore around it the dearest part of a call. Two leniencies are those of h11: lines that end without
a carriage return, and a length beside chunks, which counts for nothing (RFC 9112, 6.3).
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from flyllm.providers.broken import LocalProtocolError, RemoteProtocolError, WriteError
from flyllm.providers.sockets import Stream

Headers = list[tuple[bytes, bytes]]

READ = 64 * 1024
"""Bytes that one read takes at most."""

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSAYABLE = re.compile(rb"[\r\n\0]")
_FRAMING = (b"content-length", b"transfer-encoding")


class Exchange:
    """One exchange over `stream`. Iterating yields the body's pieces; `fields` are the answer's headers.

    For one thread, that is at it; but any may `close`.
    """

    __slots__ = ("_complete", "_framed", "_held", "_keep", "_parser", "_pieces", "fields", "status")

    def __init__(self, stream: Stream) -> None:
        self._held = [stream]  # until somebody takes it
        self._parser: Any = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(lenient_chunked_length=True, lenient_optional_cr_before_lf=True)
        self._pieces: deque[bytes] = deque()
        self._complete = self._framed = self._keep = False
        self.status = 0
        self.fields: Headers = []

    def run(self, method: bytes, target: bytes, headers: Headers, content: bytes) -> None:
        """Send a request and wait until the answer's headers are complete, interim answers aside."""
        (stream,) = self._held
        with suppress(WriteError):  # a server may have refused, and closed, before it had read everything
            stream.write(request_head(method, target, headers) + content)
        while not self.status:
            self._read(stream)

    def __iter__(self) -> Iterator[bytes]:
        held = self._held[:]
        while True:
            while self._pieces:
                yield self._pieces.popleft()
            if self._complete or not held:
                return
            self._read(held[0])

    def finish(self) -> tuple[Stream | None, bool]:
        """Give the connection up, once; return it, and whether it can serve another exchange."""
        try:
            stream = self._held.pop()
        except IndexError:
            return None, False
        self._parser = None  # which holds this object
        return stream, self._complete and self._keep

    def _read(self, stream: Stream) -> None:
        data = stream.read(READ)
        if not data:
            self._end()
            return
        parser = self._parser
        if parser is None:
            raise RemoteProtocolError("the exchange was closed while its answer was read")
        try:
            parser.feed_data(data)
        except HttpParserUpgrade:
            raise RemoteProtocolError("the server switches to another protocol") from None
        except HttpParserError as exc:
            if not self._complete:
                raise RemoteProtocolError(f"the server does not speak HTTP: {exc}") from None
            self._keep = False  # what follows a whole answer is nothing that anybody asked for

    def _end(self) -> None:
        if not self.status:
            raise RemoteProtocolError("the server disconnected without sending a response")
        if self._framed:
            raise RemoteProtocolError("the connection was closed before all of the body had come")
        self._complete = True

    # What llhttp calls.

    def on_message_begin(self) -> None:
        """Note that an answer begins."""
        if self._complete:
            self._keep = False
        else:
            self.fields.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header; those that follow a body are left out."""
        if not self.status:
            self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Take in status and headers, unless the answer is an interim one."""
        status = self._parser.get_status_code()
        if status == 101 or status >= 200:
            self.status, self._keep = status, self._parser.should_keep_alive()
            self._framed = any(name.lower() in _FRAMING for name, _ in self.fields)

    def on_body(self, piece: bytes) -> None:
        """Take in a piece of the body."""
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Note the end of the answer."""
        self._complete = bool(self.status)


def request_head(method: bytes, target: bytes, headers: Headers) -> bytes:
    """Return the head of a request; raise `LocalProtocolError` for what would end a header before its time."""
    lines = [method + b" " + target + b" HTTP/1.1"]
    for name, value in headers:
        if _NAME.fullmatch(name) is None or _UNSAYABLE.search(value):
            raise LocalProtocolError(f"the header {name[:40].decode('latin-1')!r} has characters that no header has")
        lines.append(name + b": " + value)
    return b"\r\n".join((*lines, b"\r\n"))


def whole(content: bytes | Iterable[bytes]) -> bytes:
    """Return a request's body in one piece."""
    return content if isinstance(content, bytes) else b"".join(content)
