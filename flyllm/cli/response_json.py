"""What commands say of a response as JSON: the same keys every time, null where there is nothing to say."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flyllm._batch.response_json import json_line
from flyllm.errors import LLMError
from flyllm.types import Attempt, LLMResponse, TokenUsage


def write_json(value: Mapping[str, Any]) -> None:
    """Print `value` as one line of UTF-8, whatever the terminal's encoding, at once."""
    sys.stdout.flush()
    sys.stdout.buffer.write(json_line(value))
    sys.stdout.buffer.flush()


def summary_object(response: LLMResponse) -> dict[str, Any]:
    """Return what every command says of a response; its attempts are counted."""
    return {
        "success": response.success,
        "content": response.content,
        "error": None if response.error is None else error_object(response.error),
        "finish_reason": response.finish_reason,
        "tool_calls": [asdict(call) for call in response.tool_calls],
        "reasoning": response.reasoning,
        "model": response.model,
        "provider": response.provider,
        "instance": response.instance_name,
        "task": response.task,
        "usage": usage_object(response.usage),
        "cost": response.cost,
        "attempts": attempts(response),
        "duration": round(response.duration, 3),
    }


def response_object(response: LLMResponse) -> dict[str, Any]:
    """Return all of `response` but the provider's own form, with the ledger of its attempts."""
    return summary_object(response) | {
        "attempts": [_attempt(attempt) for attempt in response.attempts],
        "id": response.id,
        "request_id": response.request_id,
        "dropped_params": list(response.dropped_params),
    }


def attempts(response: LLMResponse) -> int:
    """Return how many calls were made for it."""
    made = response.attempts or (response.error.attempts if response.error is not None else ())
    return len(made)


def error_object(error: LLMError) -> dict[str, Any]:
    """Return what a program may want to know of `error`."""
    return {
        "type": type(error).__name__,
        "message": str(error),
        "status_code": error.status_code,
        "instance": error.instance,
    }


def usage_object(usage: TokenUsage) -> dict[str, Any]:
    """Return all numbers of `usage`, and which of them are estimated."""
    return asdict(usage) | {"estimated": sorted(usage.estimated)}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return asdict(attempt) | {"usage": usage_object(attempt.usage)}
