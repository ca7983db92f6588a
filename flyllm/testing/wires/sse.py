"""Server-sent events as the providers frame them, and the cutting of an answer into streamable pieces."""

import json
import re

from flyllm.testing.wires.base import Json

_PIECE = re.compile(r"\s*\S+|\s+$")
_HALF = re.compile("[\ud800-\udfff]")
"""Half a surrogate pair, which only an escape can carry."""


def sse(data: Json | str, event: str | None = None) -> bytes:
    """Return one whole event; a dict is sent as compact JSON, a str (such as "[DONE]") as it is."""
    text = data if isinstance(data, str) else compact(data)
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {text}\n\n".encode()


def compact(data: Json) -> str:
    """Return `data` as JSON without blanks and without escaping what UTF-8 can carry."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    halves = _HALF.search(text) is not None
    return json.dumps(data, separators=(",", ":")) if halves else text


def pieces(text: str) -> list[str]:
    """Cut `text` before each run of blanks, the way models cut words; joined they are `text` again."""
    return _PIECE.findall(text)
