"""Results as lines of OpenAI's batch output files: answers as `chat.completion`, failures as `error`."""

from typing import Any

from flyllm._batch.response_json import json_line
from flyllm.cli.batch.row import Row
from flyllm.errors import LLMError
from flyllm.types import LLMResponse, TokenUsage, ToolCall

_REASONS = ("stop", "length", "tool_calls", "content_filter")


def write_openai(row: Row, response: LLMResponse) -> bytes:
    """Return the line of a result."""
    return json_line(
        {
            "id": f"batch_req_{response.index}",
            "custom_id": response.custom_id,
            "response": _answer(response) if response.error is None else None,
            "error": None if response.error is None else _error(response.error),
        }
    )


def _answer(response: LLMResponse) -> dict[str, Any]:
    return {"status_code": 200, "request_id": response.request_id, "body": _completion(response)}


def _completion(response: LLMResponse) -> dict[str, Any]:
    last = response.attempts[-1] if response.attempts else None
    return {
        "id": f"chatcmpl-{response.index}",
        "object": "chat.completion",
        "created": int(last.started + last.duration) if last is not None else 0,
        "model": response.model,
        "choices": [
            {
                "index": 0,
                "message": _message(response),
                "logprobs": None,
                # The shape has no word for the others.
                "finish_reason": response.finish_reason if response.finish_reason in _REASONS else "stop",
            }
        ],
        "usage": _usage(response.usage),
    }


def _message(response: LLMResponse) -> dict[str, Any]:
    content = response.content or (None if response.tool_calls else "")
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if response.tool_calls:
        message["tool_calls"] = [_tool_call(call) for call in response.tool_calls]
    return message


def _tool_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _usage(usage: TokenUsage) -> dict[str, Any]:
    told: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens or 0,
        "completion_tokens": usage.completion_tokens or 0,
        "total_tokens": usage.total_tokens or 0,
    }
    if usage.cached_tokens is not None:
        told["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        told["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return told


def _error(error: LLMError) -> dict[str, Any]:
    return {"code": error.code or type(error).__name__, "message": str(error)}
