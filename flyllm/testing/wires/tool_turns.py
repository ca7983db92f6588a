"""What providers refuse in a conversation with tools: calls without results, results without calls, ids used twice.

In the words that OpenAI and Anthropic answer with in 2026 (issues 8210 and 18947 of anthropics/claude-code, 2405 of
MoonshotAI/kimi-cli, 5171 of vercel/ai).
"""

from typing import Any

from flyllm.testing.wires.base import BadRequest, Json

LONGEST_ID = 40


def check_chat(messages: list[Json], longest: int | None = LONGEST_ID) -> None:
    """Raise `BadRequest` where OpenAI's chat completions answer 400; `longest` is how long an id may be."""
    open_calls: list[str] = []
    for number, message in enumerate(messages):
        if message.get("role") == "tool":
            _answered(open_calls, message.get("tool_call_id"), number)
            continue
        if open_calls:
            raise BadRequest(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                "'tool_call_id'. The following tool_call_ids did not have response messages: " + ", ".join(open_calls),
                "messages",
            )
        calls = _objects(message.get("tool_calls"))
        places = (f"messages[{number}].tool_calls[{n}].id" for n in range(len(calls)))
        open_calls = [_sized(call.get("id"), place, longest) for call, place in zip(calls, places, strict=True)]


def _answered(open_calls: list[str], call_id: Any, number: int) -> None:
    if call_id not in open_calls:
        raise BadRequest(
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
            "'tool_calls'.",
            f"messages.[{number}].role",
        )
    open_calls.remove(call_id)


def _sized(call_id: Any, place: str, longest: int | None) -> str:
    if longest is not None and isinstance(call_id, str) and len(call_id) > longest:
        raise BadRequest(
            f"Invalid '{place}': string too long. Expected a string with maximum length {longest}, "
            f"but got a string with length {len(call_id)} instead.",
            place,
        )
    return str(call_id)


def check_items(items: Any) -> None:
    """Raise `BadRequest` where OpenAI's Responses API answers 400."""
    called = [item.get("call_id") for item in _objects(items) if item.get("type") == "function_call"]
    answered = [item.get("call_id") for item in _objects(items) if item.get("type") == "function_call_output"]
    for missing in (call_id for call_id in called if call_id not in answered):
        raise BadRequest(f"No tool output found for function call {missing}.", "input")
    for unknown in (call_id for call_id in answered if call_id not in called):
        raise BadRequest(f"No tool call found for function call output with call_id {unknown}.", "input")


def check_blocks(messages: list[Json]) -> None:
    """Raise `BadRequest` where Anthropic's Messages API answers 400."""
    seen: set[str] = set()
    before: list[str] = []
    for number, message in enumerate(messages):
        blocks = _objects(message.get("content"))
        results = [block.get("tool_use_id") for block in blocks if block.get("type") == "tool_result"]
        for place, block in enumerate(blocks):
            if block.get("type") == "tool_result" and block.get("tool_use_id") not in before:
                raise BadRequest(
                    f"messages.{number}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: "
                    f"{block.get('tool_use_id')}. Each `tool_result` block must have a corresponding `tool_use` block "
                    "in the previous message."
                )
        if missing := [call_id for call_id in before if call_id not in results]:
            raise BadRequest(
                f"messages.{number - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the "
                "next message."
            )
        before = [str(block.get("id")) for block in blocks if block.get("type") == "tool_use"]
        if seen.intersection(before) or len(set(before)) < len(before):
            raise BadRequest(f"messages.{number}.content: `tool_use` ids must be unique")
        seen.update(before)


def _objects(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
