"""Cohere's shapes: what goes out of a conversation and what comes in, without a socket."""

import json
from typing import Any

import pytest

from flyllm.errors import InvalidRequestError, ParseError, RequestError, ServerError
from flyllm.providers.base import Delta, ProviderRequest, ToolCallDelta
from flyllm.providers.cohere_wire import body, events_reader, read
from flyllm.providers.registry import provider_spec
from flyllm.providers.sse import ServerEvent
from flyllm.types import TokenUsage, ToolCall

API = provider_spec("cohere").api("chat")


def built(**fields: Any) -> dict[str, Any]:
    return body(ProviderRequest(**{"model": "m", "messages": [], **fields}), API)


def message(given: dict[str, Any]) -> Any:
    return built(messages=[given])["messages"][0]


def stream(*events: Any) -> list[Delta]:
    source = iter([ServerEvent("", event if isinstance(event, str) else json.dumps(event)) for event in events])
    return list(events_reader(lambda _: None)(source))


def end(**delta: Any) -> dict[str, Any]:
    return {"type": "message-end", "delta": delta}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"role": "developer", "content": "Hi"}, {"role": "system", "content": "Hi"}),
        ({"role": "user", "content": "Hi", "name": "ann"}, {"role": "user", "content": "Hi"}),
        (
            {"role": "tool", "tool_call_id": "1", "content": ""},
            {"role": "tool", "tool_call_id": "1", "content": '""'},
        ),
        ({"role": "assistant", "content": "", "tool_plan": "I"}, {"role": "assistant", "tool_plan": "I"}),
        (
            {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "a"}]},
            {"role": "user", "content": [{"type": "text", "text": "a"}]},
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "https://a.b/c"}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.b/c"}}]},
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"ü": 1}}}]},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"ü": 1}'}},
                ],
            },
        ),
        (
            {"role": "tool", "tool_call_id": "1", "content": "x", "name": "f"},
            {"role": "tool", "tool_call_id": "1", "content": "x"},
        ),
    ],
)
def test_messages_take_cohere_s_shape(given: dict[str, Any], sent: dict[str, Any]) -> None:
    """Empty content and the field `name` are refused there; all else is kept."""
    assert message(given) == sent


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
@pytest.mark.parametrize("content", [None, "", [], [{"type": "text", "text": ""}]])
def test_messages_that_say_nothing_are_left_out(role: str, content: Any) -> None:
    """Cohere answers 400: "message must not be empty in a turn"."""
    given = [{"role": "user", "content": "Hi"}, {"role": role, "content": content, "refusal": None}]
    assert built(messages=given)["messages"] == given[:1]


def test_an_image_without_a_url_is_the_callers_fault() -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidRequestError):
        message({"role": "user", "content": [{"type": "image_url"}]})


def test_strict_tools_are_said_once() -> None:
    """Strictness stands beside the tools, not in each."""
    tools = [
        {"type": "function", "function": {"name": "f", "strict": True, "parameters": {"type": "object"}}},
        {"type": "function", "function": {"name": "g"}},
    ]
    sent = built(tools=tools)
    assert sent["strict_tools"] is True
    assert [tool["function"] for tool in sent["tools"]] == [
        {"name": "f", "parameters": {"type": "object"}},
        {"name": "g", "parameters": {"type": "object", "properties": {}}},
    ]
    assert "strict_tools" not in built(tools=tools[1:])
    assert not built(tools=[]).keys() & {"tools", "tool_choice"}


def test_a_schema_stands_in_a_json_object() -> None:
    """Cohere has no type json_schema."""
    schema = {"type": "object", "properties": {}}
    given = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    assert built(response_format=given)["response_format"] == {"type": "json_object", "json_schema": schema}
    assert built(response_format={"type": "json_object"})["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("TOOL_CALL", "tool_calls"),
        ("ERROR", "error"),
        ("TIMEOUT", "error"),
        ("complete", "stop"),
        ("NEW_WORD", "other"),
        (None, None),
    ],
)
def test_finish_reasons(word: Any, reason: Any) -> None:
    """In a call and in a stream."""
    assert read({"message": {}, "finish_reason": word}, {}).finish_reason == reason
    assert stream(end(finish_reason=word))[-1].finish_reason == reason


def test_an_answer_with_everything() -> None:
    """Plan and thoughts are reasoning; a call without arguments has `{}`."""
    data = {
        "id": "1",
        "message": {
            "tool_plan": "I look.",
            "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "a"}, {"type": "new"}, "b"],
            "tool_calls": [{"id": "c", "function": {"name": "f"}}],
        },
        "usage": {"tokens": {"input_tokens": 5.0, "output_tokens": "x"}},
    }
    found = read(data, {"x-debug-trace-id": "t"})
    assert (found.content, found.reasoning, found.request_id) == ("a", "I look.Hm.", "t")
    assert found.tool_calls == (ToolCall("c", "f", "{}"),)
    assert found.usage == TokenUsage(5)


@pytest.mark.parametrize("data", [{}, {"message": None}, {"message": []}, {"choices": []}])
def test_an_answer_without_a_message_is_none(data: dict[str, Any]) -> None:
    """It never reads as an empty one."""
    with pytest.raises(ParseError, match="no message"):
        read(data, {})


def test_events_that_are_unknown_or_empty_do_no_harm() -> None:
    """New kinds come without notice."""
    found = stream({"type": "new-kind", "delta": 3}, "", {"type": "content-start", "delta": {"message": None}}, end())
    assert not any(delta.has_content for delta in found)


def test_text_may_begin_with_its_block() -> None:
    """`content-start` has a text of its own, mostly empty."""
    opening = {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": "a"}}}}
    assert stream(opening, end())[0] == Delta(content="a")


def test_a_streamed_call_without_arguments_is_completed_when_it_ends() -> None:
    """Once, and for the call that has none."""
    calls = {"id": "c", "function": {"name": "f"}}
    events = [
        {"type": "tool-call-start", "index": 1, "delta": {"message": {"tool_calls": calls}}},
        {"type": "tool-call-end", "index": 1},
        {"type": "tool-call-end", "index": 1},
    ]
    found = [part for delta in stream(*events, end()) for part in delta.tool_calls]
    assert found == [ToolCallDelta(1, "c", "f"), ToolCallDelta(1, arguments="{}")]


@pytest.mark.parametrize(
    "event",
    [
        end(error="no", finish_reason="ERROR"),
        {"type": "error", "message": "no"},
        {"message": "no"},
        {"error": {"message": "no"}},
    ],
)
def test_an_error_amid_the_events_is_raised(event: dict[str, Any]) -> None:
    """In whatever place it stands."""
    with pytest.raises(ServerError, match="no"):
        stream(event)


@pytest.mark.parametrize("events", [(), ("[DONE]",), ({"type": "content-end"},)])
def test_a_stream_ends_with_message_end(events: Any) -> None:
    """Nothing else is its end."""
    with pytest.raises(RequestError, match="message-end"):
        stream(*events)
