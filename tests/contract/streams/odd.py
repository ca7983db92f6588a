"""Streams as odd as gateways make them: what may be done to a good one, and whether it is still whole."""

import json
import re
from collections.abc import Callable
from itertools import pairwise

from tests.contract.streams.plain import Plain
from tests.contract.streams.samples import Sample

Edit = Callable[[Sample], bytes]

_ERROR = {"type": "error", "error": {"type": "server_error", "message": "The wheels came off."}}


def frames(sample: Sample) -> list[bytes]:
    """Return the frames of a stream, each with its blank line."""
    ends = Plain(sample).ends
    return [sample.body[a:b] for a, b in pairwise(ends)]


def _sse(sample: Sample) -> bool:
    return "event-stream" in sample.content_type


def _with(at: int, event: bytes, line: bytes) -> Edit:
    """Put an event before frame `at` (negative: from the end), or a line where frames are lines."""

    def edit(sample: Sample) -> bytes:
        found = frames(sample)
        found.insert(at, event if _sse(sample) else line)
        return b"".join(found)

    return edit


def _after(event: bytes, line: bytes) -> Edit:
    return lambda sample: sample.body + (event if _sse(sample) else line)


def _without(last: int) -> Edit:
    return lambda sample: b"".join(frames(sample)[:-last])


def _over_lines(sample: Sample) -> bytes:
    if not _sse(sample):
        return sample.body

    def spread(match: re.Match[str]) -> str:
        text = json.dumps(json.loads(match.group(1)), indent=1, ensure_ascii=False)
        return "\n".join(f"data: {line}" for line in text.split("\n"))

    return re.sub(r"data: (\{.*\})", spread, sample.body.decode()).encode()


_error = json.dumps(_ERROR).encode()

HARMLESS: dict[str, Edit] = {
    "byte order mark": lambda sample: b"\xef\xbb\xbf" + sample.body,
    "CRLF": lambda sample: sample.body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "no blank line at the end": lambda sample: sample.body.rstrip(b"\r\n"),
    "data over several lines": _over_lines,
    "comments": _with(2, b": hello\n\n", b"\n"),
    "empty data": _with(2, b"data:\n\n", b" \n"),
    "data without a colon": _with(2, b"data\n\n", b"\n"),
    "an event without data": _with(2, b"event: ping\nid: 7\nretry: 9\n\n", b"\r\n"),
    "an unknown event": _with(2, b'event: news\ndata: {"type": "news", "x": 1}\n\n', b'{"x": 1}\n'),
    "garbage after the end": _after(b"data: garb{age\n\n", b"garb{age\n"),
    "bytes after the end": _after(b"\x00\xff<html>", b"\x00\xff<html>"),
    "an error after the end": _after(b"event: error\ndata: " + _error + b"\n\n", _error + b"\n"),
    "[DONE] after the end": _after(b"data: [DONE]\n\n", b""),
}
"""What leaves an answer whole."""

BROKEN: dict[str, Edit] = {
    "nothing": lambda _: b"",
    "comments only": lambda sample: b": hello\n\n" * 3 if _sse(sample) else b"\n\n\n",
    "without its last three frames": _without(3),
    "an error amid": _with(3, b"event: error\ndata: " + _error + b"\n\n", _error + b"\n"),
    "an error before its end": _with(-1, b"event: error\ndata: " + _error + b"\n\n", _error + b"\n"),
    "data that is null": _with(3, b"data: null\n\n", b"null\n"),
    "data that is no JSON": _with(3, b"data: keep-alive\n\n", b"keep-alive\n"),
    "an HTML page": lambda _: b"<!doctype html>\n<html></html>\n",
}
"""After which something is missing, or may be."""
