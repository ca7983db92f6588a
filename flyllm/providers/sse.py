"""Frames out of bytes: server-sent events and JSON lines, cut into pieces of any size.

Own code rather than the SDKs' decoders: one shape for all providers, several times cheaper per event than a
typed SDK stream, and lines end only where the standards say (httpx's line reader also splits at U+2028, which
may stand unescaped inside JSON).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from flyllm.errors import ParseError

MAX_LINE = 8 * 1024 * 1024
"""Bytes of one line, after which the stream is taken for broken."""

MAX_NAMES = 64
"""Names of events that are kept decoded; no provider has as many."""


@dataclass(slots=True)  # not frozen: to make one would cost three times as much
class ServerEvent:
    """One dispatched event: its `event:` field ("" if absent) and its joined `data:` lines."""

    name: str
    data: str


def lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines without their end (LF, CR or CRLF); an unfinished last line is yielded as well."""
    for batch in _batches(pieces):
        yield from batch


def events(pieces: Iterable[bytes]) -> Iterator[ServerEvent]:
    """Yield server-sent events as the WHATWG specification reads them.

    Two liberties: data before the end of the stream counts although the closing blank line is missing, as every
    provider's client has it, so that a cut event is seen and judged rather than lost. And a line of bare JSON counts as
    data: a gateway that fails may say so in place of the stream that it has announced.
    """
    name = ""
    names = {b"": ""}
    data: list[str] = []
    for batch in _without_mark(_batches(pieces)):
        for line in batch:
            if not line:
                if data:
                    yield ServerEvent(name, "\n".join(data))
                name, data = "", []
                continue
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
            elif field == b"event":
                name = names.get(value) or _name(names, value)
            elif line.startswith(b"{"):
                data.append(line.decode("utf-8", "replace"))
    if data:
        yield ServerEvent(name, "\n".join(data))


def _name(known: dict[bytes, str], value: bytes) -> str:
    if len(known) > MAX_NAMES:
        known.clear()
    return known.setdefault(value, value.removeprefix(b" ").decode("utf-8", "replace"))


def _batches(pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the lines that each piece completes: lists, because a generator's step costs as much as reading a line."""
    begun: list[bytes] = []  # the pieces of a line without its end, joined once: it may come byte by byte
    size, held = 0, b""
    for piece in pieces:
        text = piece
        if held or b"\r" in text:
            text, held = _with_line_feeds(held + text)
        if b"\n" not in text:
            begun.append(text)
            size += len(text)
            if size > MAX_LINE:
                raise ParseError(f"a line of the stream is longer than {MAX_LINE} bytes")
            continue
        if begun:
            text = b"".join([*begun, text])
            begun.clear()
        whole = text.split(b"\n")
        if rest := whole.pop():
            begun.append(rest)
        size = len(rest)
        yield whole
    if size or held:
        yield [b"".join(begun)]


def _with_line_feeds(text: bytes) -> tuple[bytes, bytes]:
    """Return `text` with LF at the end of every line, and apart a CR at its very end: it may be half of a CRLF."""
    held = b"\r" if text.endswith(b"\r") else b""
    return text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n"), held


def _without_mark(batches: Iterator[list[bytes]]) -> Iterator[list[bytes]]:
    first = next(batches, [])
    first[:1] = [line.removeprefix(b"\xef\xbb\xbf") for line in first[:1]]
    return chain((first,), batches)
