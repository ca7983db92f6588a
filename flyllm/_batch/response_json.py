"""A response as a JSON object, and back. Fields that have their default value are left out.

`raw` and `parsed` are not written: they may be anything. Of an error its text and its facts are written, for people
and `jq`; it is not read back.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from flyllm.errors import LLMError
from flyllm.types import Attempt, LLMResponse, TokenUsage, ToolCall

T = TypeVar("T")

_ERROR_FACTS = (
    "provider",
    "model",
    "instance",
    "status_code",
    "code",
    "request_id",
    "retry_after",
    "should_retry",
    "sent",
    "local",
    "stale",
    "partial",
    "faults",
)
_NOT_READ = ("error", "raw", "parsed")


def response_to_json(response: LLMResponse) -> dict[str, Any]:
    """Return the fields of `response`; `json_line` knows how to write those that are not plain."""
    outcome: dict[str, Any] = {"success": response.success, "content": response.content}
    if response.error is not None:
        outcome["error"] = _error_to_json(response.error)
    return outcome | {name: value for name, value in _told(response).items() if name not in _NOT_READ}


def response_from_json(told: Mapping[str, Any]) -> LLMResponse:
    """Return the response that `told` was made of, without `raw`, `parsed` and `error`.

    Unknown fields are ignored. Raises TypeError, ValueError or AttributeError where it is not a response.
    """
    known = {name: told[name] for name in _DEFAULTS[LLMResponse] if name in told and name not in _NOT_READ}
    if "usage" in known:
        known["usage"] = _usage(known["usage"])
    if "tool_calls" in known:
        known["tool_calls"] = tuple(_build(ToolCall, call) for call in known["tool_calls"])
    if "attempts" in known:
        known["attempts"] = tuple(_attempt(attempt) for attempt in known["attempts"])
    for name in ("dropped_params", "schema_changes"):
        if name in known:
            known[name] = tuple(known[name])
    return LLMResponse(**known)


def json_line(value: Mapping[str, Any]) -> bytes:
    """Return `value` as one line of JSON in UTF-8, readable as it is. What JSON has no form for is written as text."""
    try:
        return json.dumps(value, default=_plain, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate, of which only the escape has an encoding
        return json.dumps(value, default=_plain).encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, TokenUsage | ToolCall | Attempt):
        return _told(value)
    return sorted(value) if isinstance(value, frozenset) else str(value)


def _error_to_json(error: LLMError) -> dict[str, Any]:
    facts = {name: value for name in _ERROR_FACTS if (value := getattr(error, name, None)) is not None}
    return {"type": type(error).__name__, "message": str(error), **facts}


_CLASSES: tuple[Any, ...] = (LLMResponse, TokenUsage, ToolCall, Attempt)
_DEFAULTS = {cls: {field.name: field.default for field in fields(cls)} for cls in _CLASSES}


def _told(value: Any) -> dict[str, Any]:
    """Return the fields that are not at their default."""
    return {name: told for name, default in _DEFAULTS[type(value)].items() if (told := getattr(value, name)) != default}


def _usage(told: Mapping[str, Any]) -> TokenUsage:
    return _build(TokenUsage, {**told, "estimated": frozenset(told.get("estimated", ()))})


def _attempt(told: Mapping[str, Any]) -> Attempt:
    return _build(Attempt, {**told, "usage": _usage(told.get("usage", {}))})


def _build(cls: type[T], told: Mapping[str, Any]) -> T:
    return cls(**{name: told[name] for name in _DEFAULTS[cls] if name in told})
