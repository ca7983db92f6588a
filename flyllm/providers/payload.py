"""Reading JSON that a provider sent: any body that is not an answer becomes one typed error that says why."""

import json
from typing import Any

from flyllm.errors import ParseError
from flyllm.types import TokenUsage

EXCERPT = 200
"""Characters of an unreadable body shown in an error."""

_SPACE = " \t\n\r"
_MARK = b"\xef\xbb\xbf"
_begun = json.JSONDecoder().raw_decode


def decode(content: bytes | str, content_type: str = "") -> dict[str, Any]:
    """Return the JSON object in `content`; raise `ParseError` for anything else."""
    try:
        text = (content if isinstance(content, str) else content.removeprefix(_MARK).decode()).strip(_SPACE)
        data, end = _begun(text)  # `json.loads` takes a fifth longer; each event of a stream comes by here
        if end != len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except ValueError as exc:  # UnicodeDecodeError is one
        raise ParseError(_why_unreadable(content, content_type, exc)) from None
    if isinstance(data, list) and len(data) == 1:
        data = data[0]  # Google wraps errors in a list
    if not isinstance(data, dict):
        raise ParseError(f"expected a JSON object, the provider sent {_excerpt(content)}")
    return data


def _why_unreadable(content: bytes | str, content_type: str, exc: ValueError) -> str:
    if not content.strip():
        return "the provider sent an empty body"
    if "html" in content_type or _excerpt(content).lstrip().lower().startswith(("<!doctype", "<html")):
        return f"the provider sent an HTML page instead of JSON: {_excerpt(content)}"
    return f"the provider's JSON cannot be read ({exc}): {_excerpt(content)}"


def _excerpt(content: bytes | str) -> str:
    text = content if isinstance(content, str) else content[: EXCERPT * 4].decode("utf-8", "replace")
    return text if len(text) <= EXCERPT else text[:EXCERPT] + "…"


def count(source: Any, *path: str) -> int | None:
    """Return the token count at `path`; None where it is absent or not a number.

    Some gateways send counts as strings or floats; nonsense must not poison the totals.
    """
    for name in path:
        source = source.get(name) if isinstance(source, dict) else None
    if source is None:
        return None
    if isinstance(source, str):
        source = float(source) if source.isascii() and source.replace(".", "", 1).isdigit() else None
    if isinstance(source, bool) or not isinstance(source, int | float) or not 0 <= source < 1e15:
        return None
    return int(source)


def usage(
    prompt: int | None,
    completion: int | None,
    total: int | None = None,
    cached: int | None = None,
    reasoning: int | None = None,
) -> TokenUsage:
    """Build a `TokenUsage`, adding up the total where the provider gives only the parts."""
    if total is None and prompt is not None and completion is not None:
        total = prompt + completion
    return TokenUsage(prompt, completion, total, cached, reasoning)


def text_of(value: Any) -> str:
    """Return `value` if it is text, else ""."""
    return value if isinstance(value, str) else ""


def mapping(value: Any) -> dict[str, Any]:
    """Return `value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def dicts(value: Any) -> list[dict[str, Any]]:
    """Return the JSON objects of a list, or nothing where it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
