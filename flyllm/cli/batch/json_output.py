"""Results as JSON Lines in flyllm's shape: every line has the same keys, null where there is nothing to say."""

from dataclasses import asdict

from flyllm._batch.response_json import json_line
from flyllm.cli.batch.row import Row
from flyllm.cli.response_json import error_object, usage_object
from flyllm.types import LLMResponse


def write_own(row: Row, response: LLMResponse) -> bytes:
    """Return the line of a result."""
    return json_line(
        {
            "custom_id": response.custom_id,
            "index": response.index,
            "line": row.line,
            "success": response.success,
            "content": response.content if response.success else None,
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
    )


def attempts(response: LLMResponse) -> int:
    """Return how many calls were made for it."""
    made = response.attempts or (response.error.attempts if response.error is not None else ())
    return len(made)
