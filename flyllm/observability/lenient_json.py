"""JSON of whatever users put into requests: what is no JSON is written as text rather than lost."""

import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

_DEPTH = 6
"""How far into a value is looked for what is no JSON."""

_FAILURES = (ValueError, RuntimeError)
"""The latter where a value is changed meanwhile, or too deep."""


def encoder(**layout: Any) -> Callable[[Any], str]:
    """Return a function that turns any value into one valid JSON text; `layout` is passed to `json.JSONEncoder`.

    Objects become their text, and so do NaN and infinities, which JSON does not have; a list that holds itself ends in
    a note.
    """
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, skipkeys=True, default=_text, **layout).encode

    def lenient(value: Any) -> str:
        try:
            return encode(value)
        except _FAILURES:
            return as_text(value)

    def as_text(value: Any) -> str:
        with suppress(*_FAILURES):
            return encode(_plain(value, _DEPTH))
        return encode(_note(value))

    return lenient


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if not isinstance(value, Mapping | list | tuple):
        return value
    if not depth:
        return _note(value)
    if isinstance(value, Mapping):
        return {_text(key): _plain(each, depth - 1) for key, each in value.items()}
    return [_plain(each, depth - 1) for each in value]


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return _note(value)


def _note(value: Any) -> str:
    return f"[{type(value).__name__}]"
