"""Ollama's shapes: what goes out of a conversation and what comes in, without a socket."""

import json
from typing import Any

import pytest

from flyllm.errors import InvalidRequestError, ParseError, RequestError, ServerError
from flyllm.providers.base import Delta, ProviderRequest, ToolCallDelta
from flyllm.providers.ollama_wire import body, lines_reader, read
from flyllm.providers.registry import provider_spec
from flyllm.types import TokenUsage, ToolCall

API = provider_spec("ollama").api("chat")
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("f", "g")]
DONE = {"message": {"content": ""}, "done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 2}


def built(**fields: Any) -> dict[str, Any]:
    return body(ProviderRequest(**{"model": "m", "messages": [], **fields}), API)


def stream(*lines: Any) -> list[Delta]:
    source = iter([line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines])
    return list(lines_reader(lambda _: None)(source))


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"role": "developer", "content": "Hi"}, {"role": "system", "content": "Hi"}),
        (
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"content": "a\n\nb"},
        ),
        ({"role": "user", "content": [{"type": "image_url", "image_url": "data:;base64,aGk="}]}, {"images": ["aGk="]}),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,h%69"}}]},
            {"images": ["aGk="]},
        ),
        ({"role": "assistant", "content": None, "thinking": "Hm."}, {"content": "", "thinking": "Hm."}),
        ({"role": "tool", "content": "x", "name": "f"}, {"content": "x", "tool_name": "f"}),
        ({"role": "tool", "content": "x", "tool_call_id": "unknown"}, {"content": "x"}),
    ],
)
def test_messages_take_ollama_s_shape(given: dict[str, Any], sent: dict[str, Any]) -> None:
    """Content is text, images are bytes beside it."""
    (found,) = built(messages=[given])["messages"]
    assert found == {"role": given["role"], "content": "", **sent}


def test_a_result_names_the_function_of_its_call() -> None:
    """Where others name the id of the call, also when two answers used the same ids."""
    calls = [{"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": name}}]} for name in ("f", "g")]
    result = {"role": "tool", "tool_call_id": "1", "content": "x"}
    messages = built(messages=[calls[0], result, calls[1], result])["messages"]
    assert [message.get("tool_name") for message in messages] == [None, "f", None, "g"]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (None, ["f", "g"]),
        ("auto", ["f", "g"]),
        ("required", ["f", "g"]),
        ("none", None),
        ({"type": "function", "function": {"name": "g"}}, ["g"]),
    ],
)
def test_a_choice_of_tools_is_which_are_offered(choice: Any, names: Any) -> None:
    """Ollama has no other way to say it."""
    offered = built(tools=TOOLS, tool_choice=choice).get("tools")
    assert (offered and [tool["function"]["name"] for tool in offered]) == names


def test_formats() -> None:
    """A schema stands alone, JSON is a word, and the parameter `format` is passed on."""
    schema = {"type": "object"}
    assert built(response_format={"type": "json_schema", "json_schema": {"schema": schema}})["format"] == schema
    assert built(response_format={"type": "json_object"})["format"] == "json"
    assert "format" not in built(response_format={"type": "text"})
    assert built(params={"format": "json"})["format"] == "json"


def test_parameters_are_options_but_for_a_few() -> None:
    """A parameter beats what `options` says; None says nothing."""
    sent = built(params={"options": {"num_ctx": 1, "seed": 2}, "seed": 3, "think": False, "stop": "x", "top_k": None})
    assert sent["options"] == {"num_ctx": 1, "seed": 3, "stop": ["x"]}
    assert sent["think"] is False
    assert "options" not in built(params={"think": True})


@pytest.mark.parametrize("url", ["https://a.b/c.png", "/etc/hostname", "data:image/png;base64,!!", "data:oops", ""])
def test_an_image_is_data_or_the_callers_fault(url: str) -> None:
    """Nothing is fetched, nothing is read from the disk."""
    image = {"type": "image_url", "image_url": {"url": url}}
    with pytest.raises(InvalidRequestError):
        built(messages=[{"role": "user", "content": [image]}])


@pytest.mark.parametrize(
    ("word", "called", "reason"),
    [
        ("stop", False, "stop"),
        ("stop", True, "tool_calls"),
        ("length", True, "length"),
        ("load", False, "other"),
        ("unload", False, "other"),
        (None, False, None),
        (None, True, "tool_calls"),
    ],
)
def test_finish_reasons(word: Any, called: bool, reason: Any) -> None:
    """In a call and in a stream, where the call came in an earlier line."""
    calls = {"tool_calls": [{"function": {"name": "f", "arguments": {}}}]} if called else {}
    assert read({"message": calls, "done": True, "done_reason": word}, {}).finish_reason == reason
    assert stream({"message": calls, "done": False}, {"done": True, "done_reason": word})[-1].finish_reason == reason


def test_an_answer_with_everything() -> None:
    """Ids are the server's, or invented where older ones give none."""
    calls = [
        {"id": "x", "function": {"index": 0, "name": "f", "arguments": {"ü": 1}}},
        {"function": {"name": "g", "arguments": '{"a": 1}'}},
    ]
    message = {"role": "assistant", "content": "a", "thinking": "Hm.", "tool_calls": calls}
    found = read({"model": "m", "message": message, "prompt_eval_count": 5, "eval_count": 2}, {})
    assert (found.content, found.reasoning, found.model) == ("a", "Hm.", "m")
    invented = found.tool_calls[1].id
    assert found.tool_calls == (ToolCall("x", "f", '{"ü": 1}'), ToolCall(invented, "g", '{"a": 1}'))
    assert invented.startswith("call_")
    assert found.usage == TokenUsage(5, 2, 7)


def test_tool_calls_of_a_stream_are_counted_through() -> None:
    """Two lines with a call each are two calls."""
    line = {"message": {"tool_calls": [{"function": {"name": "f", "arguments": {}}}]}, "done": False}
    found = [part for delta in stream(line, line, DONE) for part in delta.tool_calls]
    ids = [part.id for part in found]
    assert found == [ToolCallDelta(0, ids[0], "f", "{}"), ToolCallDelta(1, ids[1], "f", "{}")]
    assert len({*ids, ""}) == 3


def test_usage_comes_with_the_last_line() -> None:
    """And is unknown where the server leaves it out, as it does for a prompt it has in its cache."""
    assert [delta.usage for delta in stream({"message": {"content": "a"}}, b" ", DONE)] == [None, TokenUsage(5, 2, 7)]
    assert stream({"done": True, "eval_count": 2})[-1].usage == TokenUsage(None, 2)


@pytest.mark.parametrize("data", [{}, {"message": None}, {"done": True}, {"response": "a"}])
def test_an_answer_without_a_message_is_none(data: dict[str, Any]) -> None:
    """It never reads as an empty one."""
    with pytest.raises(ParseError, match="no message"):
        read(data, {})


@pytest.mark.parametrize("lines", [(), ({"message": {"content": "a"}, "done": False},), ({"done": "true"},)])
def test_a_stream_ends_with_done(lines: Any) -> None:
    """Nothing else is its end."""
    with pytest.raises(RequestError, match="done"):
        stream(*lines)


def test_an_error_amid_the_lines_is_raised() -> None:
    """With the text the server gave."""
    with pytest.raises(ServerError, match="out of memory"):
        stream({"message": {"content": "a"}}, {"error": "out of memory"})
