"""Requests as they are written down: without the data of images and files, of which one would fill a file."""

from collections.abc import Mapping
from typing import Any

LONGEST = 200
"""Characters of data that are written as they are."""

_DATA = ("data", "file_data")  # of providers' own parts, where it stands by itself
_DEPTH = 8


def shortened(value: Any, depth: int = _DEPTH) -> Any:
    """Return `value` with how long data is in place of the data; itself where there is none.

    `data:image/png;base64,iVBORw0...` becomes `data:image/png;base64,… (12345 characters)`. Bytes too.
    """
    if isinstance(value, str):
        return _url(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"… ({len(value)} bytes)"
    if not depth or not isinstance(value, Mapping | list | tuple):
        return value
    if isinstance(value, Mapping):
        made = {name: _field(name, each, depth) for name, each in value.items()}
        return made if any(made[name] is not each for name, each in value.items()) else value
    parts = [shortened(each, depth - 1) for each in value]
    return parts if any(new is not old for new, old in zip(parts, value, strict=True)) else value


def _field(name: Any, value: Any, depth: int) -> Any:
    if name in _DATA and isinstance(value, str) and len(value) > LONGEST and not _is_data_url(value):
        return _counted("", value)
    return shortened(value, depth - 1)


def _url(text: str) -> str:
    return _counted(text[: text.index(",") + 1], text) if len(text) > LONGEST and _is_data_url(text) else text


def _is_data_url(text: str) -> bool:
    return text[:5].lower() == "data:" and ";base64," in text[:LONGEST].lower()


def _counted(head: str, text: str) -> str:
    return f"{head}… ({len(text) - len(head)} characters)"
