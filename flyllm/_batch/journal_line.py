"""A line of a journal: who the request is, its `index` in that run, `success`, and the response."""

import json
from typing import Any

from flyllm._batch.identity import Entry
from flyllm._batch.response_json import json_line, response_to_json
from flyllm.types import LLMResponse


def result_line(entry: Entry, index: int, response: LLMResponse) -> bytes:
    """Return the line for a result, its end included."""
    place = {
        "custom_id": entry.custom_id,
        "content_hash": entry.content_hash,
        "occurrence": entry.occurrence,
        "index": index,
    }
    return json_line(place | response_to_json(response) | place)


def parse_line(line: bytes) -> dict[str, Any] | None:
    """Return what a line says, None where it is damaged."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_result = (
        isinstance(told, dict)
        and isinstance(told.get("content_hash"), str)
        and isinstance(told.get("custom_id"), str | None)
        and isinstance(told.get("occurrence"), int)
    )
    return told if is_result else None


def entry_of(told: dict[str, Any]) -> Entry:
    """Return the identity that a line tells."""
    return Entry(told["content_hash"], told.get("custom_id"), told["occurrence"])
