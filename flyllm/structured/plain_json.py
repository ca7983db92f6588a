"""Reading JSON as models write it."""

import json
import re
from typing import Any, NoReturn

from flyllm.structured.form import Mismatch

_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL | re.IGNORECASE)


def unfenced(text: str) -> str:
    """Return the inside of a text that is one block of Markdown: models without enforcement often write one."""
    match = _FENCED.fullmatch(text)
    return match[1] if match else text


def read_json(text: str) -> Any:
    """Return the value in `text`; raise `Mismatch` where it is no JSON."""
    if not text.strip():
        raise Mismatch("the answer is empty, JSON was wanted")
    try:
        return json.loads(unfenced(text), parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        raise Mismatch(f"the answer is not JSON: {exc}") from None


def read_object(text: str) -> dict[str, Any]:
    """Return the JSON object in `text`; raise `Mismatch` where it is none."""
    value = read_json(text)
    if not isinstance(value, dict):
        raise Mismatch(f"the answer is not a JSON object but {type(value).__name__}")
    return value


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} has no form in JSON")
