"""What the simulated providers refuse in a conversation with tools."""

from typing import Any

import pytest

from flyllm.testing.wires.base import BadRequest
from flyllm.testing.wires.tool_turns import check_blocks, check_chat, check_items

USER = {"role": "user", "content": "?"}


def calling(*ids: str) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [{"id": call_id} for call_id in ids]}


def result(call_id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": "x"}


def use(*ids: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": call_id} for call_id in ids]}


def used(*ids: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call_id} for call_id in ids]}


def test_whole_conversations_pass() -> None:
    """Results in any order; calls at the end are still to be answered."""
    check_chat([USER, calling("a", "b"), result("b"), result("a"), USER, calling("a")])
    check_blocks([USER, use("a", "b"), used("b", "a"), use("c")])
    check_items([USER, {"type": "function_call", "call_id": "a"}, {"type": "function_call_output", "call_id": "a"}])


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([USER, calling("a", "b"), result("a"), USER], "did not have response messages: b$"),
        ([USER, result("a")], "must be a response to a preceeding message with 'tool_calls'"),
        ([USER, calling("a"), result("a"), result("a")], "must be a response"),
        ([USER, calling("x" * 41)], r"Invalid 'messages\[1\].tool_calls\[0\].id': string too long"),
    ],
)
def test_what_openai_s_chat_refuses(messages: list[Any], why: str) -> None:
    """Each in its words."""
    with pytest.raises(BadRequest, match=why):
        check_chat(messages)


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([USER, use("a", "b"), used("a")], "messages.1: `tool_use` ids were found without .* immediately after: b"),
        ([USER, used("a")], "messages.1.content.0: unexpected `tool_use_id` found in `tool_result` blocks: a"),
        ([USER, use("a"), used("a"), use("a"), used("a")], "`tool_use` ids must be unique"),
        ([USER, use("a", "a"), used("a")], "`tool_use` ids must be unique"),
    ],
)
def test_what_anthropic_refuses(messages: list[Any], why: str) -> None:
    """Each in its words."""
    with pytest.raises(BadRequest, match=why):
        check_blocks(messages)


def test_what_openai_s_responses_refuse() -> None:
    """Calls and outputs belong together."""
    with pytest.raises(BadRequest, match="No tool output found for function call a"):
        check_items([{"type": "function_call", "call_id": "a"}])
    with pytest.raises(BadRequest, match="No tool call found for function call output with call_id a"):
        check_items([{"type": "function_call_output", "call_id": "a"}])
