"""An HTTP transport (the `transport` of an httpx or httpx2 client) whose answers end in time and have a size.

What httpx's own does, over connections of ours (`connections`, `http11`), with bodies counted and unpacked here: httpx
unpacks 64 KiB into 64 MiB at one go, and reads until the memory is full.
"""

import ssl
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple, Self

from flyllm.errors import ParseError, RequestError
from flyllm.providers.broken import BROKEN
from flyllm.providers.connections import Connections, Origin
from flyllm.providers.http11 import Exchange, Headers, whole
from flyllm.providers.line import Line

MAX_BODY = 64 * 1024 * 1024
"""Bytes of an answer, unpacked, after which it is taken for broken."""

PIECE = 64
"""Bytes that a piece of a body costs beside its content; counted, so that a body of tiny pieces has an end too."""

PACKINGS = "gzip"
"""What is asked for as `accept-encoding`."""

LINE = "flyllm_line"
"""Under this name a response's `extensions` hold its `Line`."""

_REPLY = "flyllm_reply"

_GULP = 64 * 1024


class Address(NamedTuple):
    """A URL as it is needed to send to it."""

    origin: Origin
    target: bytes


class BoundedTransport:
    """Keeps `most` idle connections for `seconds`; encrypts by `tls`."""

    def __init__(self, httpx: ModuleType, tls: ssl.SSLContext, most: int, seconds: float) -> None:
        self._connections, self._response = Connections(tls, most, seconds), httpx.Response
        # httpx checks the class, and there are two of them.
        self._body = type("Body", (Body, httpx.SyncByteStream), {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def handle_request(self, request: Any) -> Any:
        """Send a `request` of httpx's and return the answer, its body unread."""
        address, content = address_of(request.url), request.stream
        return self.response(self.send(request.method, address, request.headers.raw, content, request.extensions))

    def response(self, reply: "Reply") -> Any:
        """Return `reply` as a response of httpx's."""
        known, status = {**reply.extensions, _REPLY: reply}, reply.status_code
        return self._response(status_code=status, headers=reply.fields, stream=reply.stream, extensions=known)

    def send(
        self, method: str, address: Address, headers: Headers, content: Any, extensions: Mapping[str, Any]
    ) -> "Reply":
        """Send a request and return the answer, its body unread. All of it must come within the read timeout.

        `content` is bytes or a stream of them, whose length `headers` tell. The timeouts, as httpx has them, are in the
        `extensions`.
        """
        seconds = extensions.get("timeout", {})
        line = Line(seconds.get("read"))
        try:
            line.enter()
            stream = self._connections.take(address.origin, line, seconds.get("connect"))
            exchange = Exchange(stream)
            try:
                exchange.run(method.encode(), address.target, headers, whole(content))
            except BaseException:
                stream.close()
                raise
        except BROKEN as exc:
            line.release()
            if not line.reused or line.head:
                raise
            broken = f"the kept connection broke: {type(exc).__name__}: {exc}"
        except BaseException:
            line.release()
            raise
        else:
            return self._reply(exchange, line, address.origin)
        raise RequestError(broken, stale=True)

    def close(self) -> None:
        """Close all connections, also those that others are using."""
        self._connections.close()

    def _reply(self, exchange: Exchange, line: Line, origin: Origin) -> "Reply":
        line.answered()
        fields, length, packing = _framing(exchange.fields)

        def leave() -> None:
            stream, usable = exchange.finish()
            if stream is not None and usable:
                self._connections.give(origin, stream)
            elif stream is not None:
                stream.close()

        return Reply(exchange.status, fields, self._body(exchange, line, leave, length, packing), {LINE: line})


def address_of(url: Any) -> Address:
    """Return a URL of httpx's as an address."""
    tls = url.raw_scheme == b"https"
    return Address(Origin(url.raw_host.decode("ascii"), url.port or (443 if tls else 80), tls), url.raw_path)


class Reply:
    """An answer whose body is unread: what is used of a response of httpx's, at a fraction of its cost.

    `fields` are the headers as they came. The body is `read` at once, which `content` is from then on, or by iterating
    over `stream`.
    """

    __slots__ = ("_headers", "content", "extensions", "fields", "status_code", "stream")

    def __init__(self, status_code: int, fields: Headers, stream: "Body", extensions: Mapping[str, Any]) -> None:
        self.status_code, self.fields, self.stream, self.extensions = status_code, fields, stream, extensions
        self._headers: dict[str, str] | None = None
        self.content = b""

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status_code < 300

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers by lower-case names; values of a name that comes several times are joined by commas."""
        if self._headers is None:
            self._headers = {}
            for name, value in self.fields:
                known, text = name.lower().decode("latin-1"), value.decode("latin-1")
                self._headers[known] = f"{self._headers[known]}, {text}" if known in self._headers else text
        return self._headers

    def read(self) -> bytes:
        """Return the whole body, which can be had once."""
        self.content = b"".join(self.stream)
        return self.content

    def close(self) -> None:
        """Give the connection back."""
        self.stream.close()


def headers_of(response: Any) -> Mapping[str, str]:
    """Return the headers of a reply, or of a response that was made of one: a lookup in httpx's walks over them all."""
    headers: Mapping[str, str] = response.extensions.get(_REPLY, response).headers
    return headers


class Body:
    """The body of one answer: unpacked pieces, `MAX_BODY` bytes at most. Closing it gives the connection back."""

    def __init__(
        self, pieces: Iterable[bytes], line: Line, leave: Callable[[], None], length: bytes, packing: bytes
    ) -> None:
        self._pieces, self._line, self._leave, self._length, self._packing = pieces, line, leave, length, packing

    def __iter__(self) -> Iterator[bytes]:
        if self._length.isdigit() and int(self._length) > MAX_BODY:
            raise _too_large()
        room = MAX_BODY
        for piece in self._unpacked():
            room -= len(piece) + PIECE
            if room < 0:
                raise _too_large()
            yield piece

    def close(self) -> None:
        """Close; the socket is no longer this exchange's once that begins."""
        self._line.release()
        self._leave()

    def _unpacked(self) -> Iterable[bytes]:
        pieces = self._pieces
        if self._packing in (b"", b"identity"):
            return pieces
        if self._packing in (b"gzip", b"x-gzip", b"deflate"):
            return unpacked(pieces)
        name = self._packing[:40].decode("latin-1")
        raise ParseError(f"the answer is packed as {name!r}, which was not asked for")


def _framing(headers: Headers) -> tuple[Headers, bytes, bytes]:
    """Return headers without the packing, which must not be undone twice, the length that is promised, the packing."""
    length = packing = b""
    for name, value in headers:
        match len(name):
            case 14 if name.lower() == b"content-length":
                length = value
            case 16 if name.lower() == b"content-encoding":
                packing = value.lower()
    if packing:
        headers = [(name, value) for name, value in headers if name.lower() != b"content-encoding"]
    return headers, length, packing


def unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what `pieces` of gzip, of one member or several, or of zlib hold, in pieces of 64 KiB at most."""
    machine = _unpacker()
    try:
        for piece in pieces:
            rest = piece
            while rest:
                if machine.eof:
                    machine = _unpacker()
                if data := machine.decompress(rest, _GULP):
                    yield data
                rest = machine.unconsumed_tail or machine.unused_data
    except zlib.error as exc:
        raise ParseError(f"the answer cannot be unpacked: {exc}") from None
    if not machine.eof:
        raise ParseError("the answer cannot be unpacked: it ends early")


def _unpacker() -> Any:
    return zlib.decompressobj(zlib.MAX_WBITS | 32)  # tells the two apart by their headers


def _too_large() -> ParseError:
    return ParseError(f"the answer exceeds {MAX_BODY // 1024 // 1024} MiB")
