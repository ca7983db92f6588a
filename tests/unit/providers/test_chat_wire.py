"""Chat completions as gateways vary them: several answers, odd tool fragments, refusals, reasoning, errors."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from flyllm.errors import APIError, InvalidRequestError, ParseError, RateLimitError, RequestError, ServerError
from flyllm.providers import chat_wire
from flyllm.providers.base import Delta
from flyllm.providers.sse import ServerEvent
from flyllm.types import ToolCall


def message(reason: str | None = "stop", **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", **fields}, "finish_reason": reason}]}


def chunk(reason: str | None = None, index: int | None = 0, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": reason}]}


def call(index: int | None = 0, **fields: Any) -> dict[str, Any]:
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return {**({} if index is None else {"index": index}), "function": function, **fields}


def read_stream(*events: Mapping[str, Any] | str, name: str = "") -> list[Delta]:
    source = [ServerEvent(name, e if isinstance(e, str) else json.dumps(e)) for e in events]
    return list(chat_wire.events_reader(lambda _: None)(iter(source)))


def calls_of(deltas: list[Delta]) -> list[ToolCall]:
    """Join fragments as the seam says: by index, id and name once."""
    joined: dict[int, list[str]] = {}
    for part in (part for delta in deltas for part in delta.tool_calls):
        known = joined.setdefault(part.index, ["", "", ""])
        joined[part.index] = [known[0] + part.id, known[1] + part.name, known[2] + part.arguments]
    return [ToolCall(*joined[index]) for index in sorted(joined)]


def said(deltas: list[Delta]) -> str:
    return "".join(delta.content for delta in deltas)


@pytest.mark.parametrize(
    ("fragments", "joined"),
    [
        (  # as OpenAI sends them
            [call(id="a", name="f", arguments=""), call(arguments='{"x"'), call(arguments=":1}")],
            [ToolCall("a", "f", '{"x":1}')],
        ),
        (  # id and name in every fragment
            [call(id="a", name="f", arguments='{"x"'), call(id="a", name="f", arguments=":1}")],
            [ToolCall("a", "f", '{"x":1}')],
        ),
        (  # parallel calls, all numbered 0
            [call(id="a", name="f", arguments="{}"), call(id="b", name="g", arguments='{"y":2}')],
            [ToolCall("a", "f", "{}"), ToolCall("b", "g", '{"y":2}')],
        ),
        (  # without numbers
            [call(None, id="a", name="f", arguments="{}"), call(None, id="b", name="g", arguments="{}")],
            [ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}")],
        ),
        (  # a new id in every fragment, the name only in the first
            [call(id="a", name="f", arguments='{"x"'), call(id="z", arguments=":1}")],
            [ToolCall("a", "f", '{"x":1}')],
        ),
        (  # fragments of two calls in turn
            [call(0, id="a", name="f"), call(1, id="b", name="g"), call(0, arguments="[0]"), call(1, arguments="[1]")],
            [ToolCall("a", "f", "[0]"), ToolCall("b", "g", "[1]")],
        ),
        ([call(id="a", name="f", arguments=None)], [ToolCall("a", "f", "{}")]),
        ([call(id="a", name="f", arguments={"x": 1})], [ToolCall("a", "f", '{"x": 1}')]),
    ],
)
def test_fragments_of_tool_calls_are_told_apart(fragments: list[dict[str, Any]], joined: list[ToolCall]) -> None:
    """Each call gets its own index, its id and name once, and arguments that are JSON."""
    deltas = read_stream(*(chunk(tool_calls=[part]) for part in fragments), chunk("tool_calls"), "[DONE]")
    assert calls_of(deltas) == joined
    assert deltas[-1].finish_reason == "tool_calls"


def test_whole_calls_have_arguments_that_are_json() -> None:
    """None, "" and an object are written as JSON text; what the model wrote stays."""
    written = [None, "", {"x": 1}, '{"x":', '{"x": 1}']
    tools = [{"id": str(n), "function": {"name": "f", "arguments": value}} for n, value in enumerate(written)]
    got = chat_wire.read(message("tool_calls", content=None, tool_calls=tools), {}).tool_calls
    assert [call.arguments for call in got] == ["{}", "{}", '{"x": 1}', '{"x":', '{"x": 1}']


def test_of_several_answers_one_is_read() -> None:
    """With n > 1: the first whole one, and in a stream the one that began."""
    choices = [{"index": n, "message": {"content": str(n)}, "finish_reason": "stop"} for n in (2, 0, 1)]
    assert chat_wire.read({"choices": choices}, {}).content == "0"
    first, second = chunk(content="a"), chunk(content="x", index=1)
    both = {"choices": [*second["choices"], *first["choices"]]}
    ends = chunk("length", index=1), chunk("stop")
    deltas = read_stream(both, second, first, *ends, "[DONE]")
    assert said(deltas) == "aa"
    assert [d.finish_reason for d in deltas if d.finish_reason] == ["stop"]


def test_the_end_of_another_answer_is_not_the_end_of_this_one() -> None:
    """A stream cut after it is unfinished."""
    with pytest.raises(RequestError, match="ended early"):
        read_stream(chunk(content="a"), chunk("stop", index=1))


def test_a_refusal_is_its_text_and_a_content_filter() -> None:
    """OpenAI ends refusals with "stop", whole and streamed."""
    whole = chat_wire.read(message(content=None, refusal="No."), {})
    assert (whole.content, whole.finish_reason) == ("No.", "content_filter")
    deltas = read_stream(chunk(refusal="N"), chunk(refusal="o."), chunk("stop"), "[DONE]")
    assert (said(deltas), deltas[-1].finish_reason) == ("No.", "content_filter")


@pytest.mark.parametrize(
    ("fields", "text", "reasoning"),
    [
        ({"content": "a"}, "a", ""),
        ({"content": None}, "", ""),
        ({}, "", ""),
        ({"content": "a", "reasoning_content": "r"}, "a", "r"),
        ({"content": "a", "reasoning": "r"}, "a", "r"),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "ab", ""),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}, {"text": "a"}]}, "a", "r"),
        ({"content": [{"type": "thinking", "thinking": "r"}]}, "", "r"),
        ({"content": 7, "reasoning": {"x": 1}}, "", ""),
    ],
)
def test_text_and_reasoning_in_all_their_places(fields: dict[str, Any], text: str, reasoning: str) -> None:
    """Whole and streamed alike."""
    whole = chat_wire.read(message(**fields), {})
    assert (whole.content, whole.reasoning or "") == (text, reasoning)
    delta = read_stream(chunk(**fields), "[DONE]")[0]
    assert (delta.content, delta.reasoning) == (text, reasoning)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"error": {"message": "m", "type": "server_error"}}, ServerError),
        ({"error": {"message": "m", "code": 429}, "choices": [{"finish_reason": "error"}]}, RateLimitError),
        ({"error": "it broke"}, ServerError),
        ({"choices": [], "x_groq": {"error": "over"}}, ServerError),
        ({"choices": [], "x_groq": {"error": {"message": "m", "status_code": 400}}}, InvalidRequestError),
    ],
)
def test_an_error_in_a_chunk_is_raised(event: dict[str, Any], kind: type[APIError]) -> None:
    """In every shape in which one was seen, also when a finish reason stands beside it."""
    with pytest.raises(kind):
        read_stream(chunk(content="a"), event, "[DONE]")


def test_an_error_event_is_raised_by_its_name() -> None:
    """Whatever its data are."""
    with pytest.raises(ServerError, match="broke"):
        read_stream({"message": "broke"}, name="error")


@pytest.mark.parametrize("data", [{}, {"choices": []}, {"choices": None}, {"choices": [{}]}, {"choices": ["x"]}])
def test_a_reply_without_an_answer_is_unreadable(data: dict[str, Any]) -> None:
    """An odd 200 is an error, not an empty answer."""
    with pytest.raises(ParseError, match="no choices"):
        chat_wire.read(data, {})


def test_what_ends_a_stream() -> None:
    """The sentinel or a finish reason; empty events and what follows the sentinel are nothing."""
    assert said(read_stream(chunk(content="a"), "", chunk("stop"))) == "a"
    assert said(read_stream(chunk(content="a"), "[DONE]", "{not read}")) == "a"
    with pytest.raises(RequestError, match="ended early"):
        read_stream(chunk(content="a"))


def test_usage_may_come_after_the_end_or_in_groqs_own_field() -> None:
    """The last one counts; a field of null is none."""
    counted = {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}}
    last = read_stream(chunk("stop"), {"choices": [], "usage": counted}, "[DONE]")[-1]
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.total_tokens, last.usage.cached_tokens) == (3, 7, 2)
    groq = read_stream({**chunk("stop"), "usage": None, "x_groq": {"usage": counted}}, "[DONE]")[-1]
    assert groq.usage == last.usage
    assert read_stream({**chunk("stop"), "usage": None})[0].usage is None


@pytest.mark.parametrize(
    "word", ["stop", "eos", "length", "tool_calls", "content_filter", "error", "new_word", None, ""]
)
def test_an_unknown_finish_reason_is_other(word: str | None) -> None:
    """And none at all is None."""
    known = {"eos": "stop", "new_word": "other", "": None}
    assert chat_wire.read(message(word, content="a"), {}).finish_reason == known.get(word or "", word)
