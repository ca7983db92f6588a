"""Frames out of bytes: server-sent events and JSON lines, cut into pieces of any size.

Own code rather than the SDKs' decoders: one shape for all providers, several times cheaper per event than a
typed SDK stream, and lines end only where the standards say (httpx's line reader also splits at U+2028, which
may stand unescaped inside JSON).
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from flyllm.errors import ParseError

MAX_LINE = 8 * 1024 * 1024
"""Bytes of one line, after which the stream is taken for broken."""


class ServerEvent(NamedTuple):
    """One dispatched event: its `event:` field ("" if absent) and its joined `data:` lines."""

    name: str
    data: str


def lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines without their end (LF, CR or CRLF); an unfinished last line is yielded as well."""
    buffer = b""
    for piece in pieces:
        if not piece:
            continue
        buffer += piece
        if len(buffer) > MAX_LINE:
            raise ParseError(f"a line of the stream is longer than {MAX_LINE} bytes")
        if b"\r" in buffer:
            # A CR at the very end may be half of a CRLF: keep it for the next piece.
            held = b"\r" if buffer.endswith(b"\r") else b""
            buffer = buffer[: len(buffer) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held
        if b"\n" in buffer:
            *whole, buffer = buffer.split(b"\n")
            yield from whole
    if buffer:
        yield buffer.rstrip(b"\r")


def events(pieces: Iterable[bytes]) -> Iterator[ServerEvent]:
    """Yield server-sent events as the WHATWG specification reads them.

    One liberty, which every provider's client takes: data before the end of the stream counts
    although the closing blank line is missing, so that a cut event is seen and judged rather than lost.
    """
    name = ""
    data: list[str] = []
    for line in _without_mark(lines(pieces)):
        if not line:
            if data:
                yield ServerEvent(name, "\n".join(data))
            name, data = "", []
            continue
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
        elif field == b"event":
            name = value.removeprefix(b" ").decode("utf-8", "replace")
    if data:
        yield ServerEvent(name, "\n".join(data))


def _without_mark(source: Iterator[bytes]) -> Iterator[bytes]:
    for first in source:
        yield first.removeprefix(b"\xef\xbb\xbf")
        break
    yield from source
