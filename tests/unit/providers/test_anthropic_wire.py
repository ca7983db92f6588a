"""Anthropic's wire: what becomes of messages on the way out, of answers and events on the way in."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from flyllm.errors import InvalidRequestError, OverloadedError, ParseError, RateLimitError, RequestError
from flyllm.providers import anthropic_wire
from flyllm.providers.anthropic_body import ADAPTIVE_MAX_TOKENS, MAX_TOKENS, body
from flyllm.providers.base import QUIET, Delta, ProviderRequest, ToolCallDelta
from flyllm.providers.registry import provider_spec
from flyllm.providers.sse import ServerEvent
from flyllm.types import TokenUsage, ToolCall

API = provider_spec("anthropic").api("messages")
USER = {"role": "user", "content": "Hi"}


def built(*messages: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return body(ProviderRequest("m", list(messages) or [USER], **fields), API)


def call(call_id: str, arguments: Any = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}}


def answer(*content: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "id": "msg_1",
        "model": "m",
        "content": list(content),
        "stop_reason": "end_turn",
        **fields,
    }


def read_stream(*events: Mapping[str, Any]) -> list[Delta]:
    source = iter([ServerEvent("", json.dumps(event)) for event in events])
    return list(anthropic_wire.events_reader(lambda _: None)(source))


def ending(reason: str = "end_turn", **usage: int) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


STOP = {"type": "message_stop"}


def start(**block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": 0, "content_block": block}


def piece(**delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": delta}


BLOCK_END = {"type": "content_block_stop", "index": 0}


def test_a_plain_request_is_the_smallest_body() -> None:
    """The required max_tokens has a default; nothing else is added."""
    assert built() == {"model": "m", "messages": [USER], "max_tokens": MAX_TOKENS}


@pytest.mark.parametrize(
    ("params", "room"),
    [
        ({}, MAX_TOKENS),
        ({"max_tokens": 7}, 7),
        ({"max_tokens": None}, MAX_TOKENS),
        ({"thinking": {"type": "enabled", "budget_tokens": 9000}}, MAX_TOKENS + 9000),
        ({"thinking": {"type": "adaptive"}}, ADAPTIVE_MAX_TOKENS),
    ],
)
def test_max_tokens_leaves_room_for_thinking(params: dict[str, Any], room: int) -> None:
    """The default comes on top of a thinking budget, which must be smaller than max_tokens."""
    assert built(params=params)["max_tokens"] == room


def test_system_messages_go_to_the_top_wherever_they_stand() -> None:
    """Roles system and developer; texts joined as paragraphs."""
    made = built({"role": "system", "content": "A"}, USER, {"role": "developer", "content": "B"})
    assert (made["system"], made["messages"]) == ("A\n\nB", [USER])


def test_a_system_part_with_more_than_text_stays_a_part() -> None:
    """cache_control must arrive."""
    part = {"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}}
    assert built({"role": "system", "content": [part]}, USER)["system"] == [part]


def test_results_of_parallel_calls_and_what_the_user_adds_are_one_turn() -> None:
    """Anthropic refuses results of parallel calls in separate turns."""
    made = built(
        USER,
        {"role": "assistant", "content": "", "tool_calls": [call("a", '{"x": 1}'), call("b", "")]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "2", "cache_control": {}}]},
        {"role": "user", "content": "So?"},
    )["messages"]
    assert [turn["role"] for turn in made] == ["user", "assistant", "user"]
    assert made[1]["content"] == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "f", "input": {}},
    ]
    assert made[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": "1"},
        {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "2", "cache_control": {}}]},
        {"type": "text", "text": "So?"},
    ]


def test_ids_of_another_provider_are_respelt_alike_in_call_and_result() -> None:
    """Anthropic takes letters, digits, - and _ only; a conversation may have begun elsewhere."""
    made = built(
        {"role": "assistant", "tool_calls": [call("functions.f:0")]},
        {"role": "tool", "tool_call_id": "functions.f:0", "content": "1"},
    )["messages"]
    assert made[0]["content"][0]["id"] == made[1]["content"][0]["tool_use_id"] == "functions_f_0"


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("data:image/png;base64,iVBO", {"type": "base64", "media_type": "image/png", "data": "iVBO"}),
        ("data:image/svg+xml,%3Csvg%3E", {"type": "base64", "media_type": "image/svg+xml", "data": "PHN2Zz4="}),
        ("DATA:image/gif;charset=x;base64,R0", {"type": "base64", "media_type": "image/gif", "data": "R0"}),
        ("https://h/a.jpg", {"type": "url", "url": "https://h/a.jpg"}),
    ],
)
def test_images_become_sources(url: str, source: dict[str, str]) -> None:
    """Inline data in any spelling of data: URLs, anything else by its address."""
    for given in (url, {"url": url, "detail": "low"}):
        made = built({"role": "user", "content": [{"type": "image_url", "image_url": given}]})
        assert made["messages"][0]["content"] == [{"type": "image", "source": source}]


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "f"}}, {"type": "tool", "name": "f"}),
        ({"type": "any", "disable_parallel_tool_use": True}, {"type": "any", "disable_parallel_tool_use": True}),
    ],
)
def test_tool_choice_in_anthropics_words(choice: Any, wire: dict[str, Any]) -> None:
    """A choice that is Anthropic's already stays."""
    assert built(tool_choice=choice)["tool_choice"] == wire


def test_tools_in_anthropics_shape() -> None:
    """A function without parameters takes an empty object; Anthropic's own tools stay."""
    own = {"type": "web_search_20250305", "name": "web_search"}
    function = {"name": "f", "description": None, "parameters": {"type": "object"}, "strict": True}
    tools = [{"type": "function", "function": function}, {"type": "function", "function": {"name": "g"}}, own]
    assert built(tools=tools)["tools"] == [
        {"name": "f", "strict": True, "input_schema": {"type": "object"}},
        {"name": "g", "input_schema": {"type": "object", "properties": {}}},
        own,
    ]


def test_schema_and_effort_share_output_config() -> None:
    """What the user puts into output_config wins."""
    schema = {"type": "object"}
    made = built(
        response_format={"type": "json_schema", "json_schema": {"schema": schema}},
        params={"reasoning_effort": "low", "output_config": {"effort": "max"}},
    )
    assert made["output_config"] == {"effort": "max", "format": {"type": "json_schema", "schema": schema}}
    assert "reasoning_effort" not in made


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"response_format": {"type": "json_object"}}, "json_schema instead"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "no schema"),
        ({"tool_choice": "sometimes"}, "auto, required, none"),
        ({"messages": [{"role": "critic", "content": "Hi"}]}, "role 'critic'"),
        ({"messages": [{"role": "assistant", "tool_calls": [call("a", "[1]")]}]}, "'a' are not a JSON object"),
        ({"messages": [{"role": "assistant", "tool_calls": [call("a", "{")]}]}, "'a' are not a JSON object"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "no url"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "data:x"}]}]}, "no data"),
    ],
)
def test_what_anthropic_cannot_take_is_refused_before_it_is_sent(fields: dict[str, Any], says: str) -> None:
    """As an error about the request that says what is wrong."""
    with pytest.raises(InvalidRequestError, match=says):
        body(ProviderRequest("m", **{"messages": [USER], **fields}), API)


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "other"),
        ("something_new", "other"),
        (None, None),
    ],
)
def test_stop_reasons(word: str | None, ours: str | None) -> None:
    """In our vocabulary, in an answer and in a stream."""
    assert anthropic_wire.read(answer(stop_reason=word), {}).finish_reason == ours
    if word:
        assert read_stream(ending(word), STOP)[-1].finish_reason == ours


def test_only_text_thoughts_and_the_callers_tools_are_read() -> None:
    """Blocks of tools that Anthropic ran, and blocks of unknown types, are skipped."""
    read = anthropic_wire.read(
        answer(
            {"type": "thinking", "thinking": "Hm.", "signature": "s"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}},
            {"type": "text", "text": "A"},
            {"type": "new_block", "text": "not for us"},
            {"type": "text", "text": "B"},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"ä": 1}},
        ),
        {"request-id": "req_1"},
    )
    assert (read.content, read.reasoning, read.request_id) == ("AB", "Hm.", "req_1")
    assert read.tool_calls == (ToolCall("toolu_1", "f", '{"ä": 1}'),)


@pytest.mark.parametrize("data", [{}, {"type": "message"}, {"content": None}, {"content": "Hi"}])
def test_a_reply_without_content_is_no_answer(data: dict[str, Any]) -> None:
    """It raises rather than passing for an empty answer."""
    with pytest.raises(ParseError, match="no content"):
        anthropic_wire.read(data, {})


def test_an_answer_of_no_blocks_is_one() -> None:
    """Anthropic ends a turn with nothing more to say like that."""
    assert anthropic_wire.read(answer(), {}).content == ""


def test_prompt_tokens_include_the_cached() -> None:
    """Anthropic counts those read from a cache and those written to it apart."""
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 4,
        "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 2},
    }
    assert anthropic_wire.read(answer(usage=usage), {}).usage == TokenUsage(17, 5, 22, 4, 2)
    assert anthropic_wire.read(answer(), {}).usage == TokenUsage()


def test_counts_of_a_stream_are_totals_and_complete_each_other() -> None:
    """The last report names output only; what came first still counts."""
    first = {"input_tokens": 10, "cache_read_input_tokens": 4, "output_tokens": 1}
    deltas = read_stream(
        {"type": "message_start", "message": {"model": "m", "usage": first}}, ending(output_tokens=9), STOP
    )
    assert [delta.usage for delta in deltas] == [TokenUsage(14, 1, 15, 4), TokenUsage(14, 9, 23, 4)]
    assert deltas[0].model == "m"


@pytest.mark.parametrize(
    ("whole", "pieces", "arguments"),
    [
        ({}, ["", '{"a"', ":1}"], '{"a":1}'),
        ({}, [""], "{}"),
        ({"a": 1}, [], '{"a": 1}'),
        ({"a": 1}, ['{"b":2}'], '{"b":2}'),
    ],
)
def test_arguments_in_pieces_whole_or_none(whole: dict[str, Any], pieces: list[str], arguments: str) -> None:
    """Without any piece the block's first event has them; a function without arguments gets {}."""
    deltas = read_stream(
        start(type="tool_use", id="t", name="f", input=whole),
        *(piece(type="input_json_delta", partial_json=text) for text in pieces),
        BLOCK_END,
        ending("tool_use"),
        STOP,
    )
    parts = [part for delta in deltas for part in delta.tool_calls]
    assert parts[0] == ToolCallDelta(0, "t", "f")
    assert "".join(part.arguments for part in parts) == arguments
    assert {part.index for part in parts} == {0}


def test_input_of_a_tool_that_anthropic_runs_is_not_a_call() -> None:
    """Its pieces belong to a block that was skipped; calls are numbered without it."""
    deltas = read_stream(
        start(type="server_tool_use", id="s", name="web_search", input={}),
        piece(type="input_json_delta", partial_json='{"query":'),
        BLOCK_END,
        {**start(type="tool_use", id="t", name="f", input={}), "index": 1},
        {**BLOCK_END, "index": 1},
        ending("tool_use"),
        STOP,
    )
    parts = [part for delta in deltas for part in delta.tool_calls]
    assert parts == [ToolCallDelta(0, "t", "f"), ToolCallDelta(0, arguments="{}")]


def test_text_in_a_blocks_first_event_counts() -> None:
    """Some compatible servers put the first words there."""
    deltas = read_stream(start(type="text", text="A"), piece(type="text_delta", text="B"), BLOCK_END, ending(), STOP)
    assert "".join(delta.content for delta in deltas) == "AB"


def test_unknown_events_and_deltas_are_skipped() -> None:
    """The API promises to add some."""
    known = [piece(type="text_delta", text="A"), ending(), STOP]
    noise = [{"type": "ping"}, {"type": "brand_new"}, piece(type="citations_delta"), piece(type="signature_delta")]
    assert [delta for delta in read_stream(*noise, *known) if delta is not QUIET] == read_stream(*known)


def test_a_ping_is_no_sign_that_the_answer_goes_on() -> None:
    """What the provider's own tools do is one."""
    search = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "server_tool_use", "name": "web_search"},
    }
    assert read_stream({"type": "ping"}, search, ending(), STOP)[:-1] == [QUIET]


@pytest.mark.parametrize("events", [[], [piece(type="text_delta", text="A")], [ending(None), {"type": "ping"}]])  # type: ignore[arg-type]
def test_a_stream_without_its_end_is_an_error(events: list[dict[str, Any]]) -> None:
    """Neither message_stop nor a stop reason was seen."""
    with pytest.raises(RequestError, match="message_stop"):
        read_stream(*events)


def test_a_stop_reason_ends_a_stream_as_well() -> None:
    """What follows it adds nothing."""
    assert read_stream(piece(type="text_delta", text="A"), ending())[-1].finish_reason == "stop"


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [("overloaded_error", OverloadedError, 529), ("rate_limit_error", RateLimitError, 429)],
)
def test_an_error_event_is_raised_as_what_it_is(kind: str, error: type[Exception], status: int) -> None:
    """Its type tells the class; the HTTP status was 200."""
    with pytest.raises(error) as caught:
        read_stream({"type": "error", "error": {"type": kind, "message": "Sorry"}})
    assert caught.value.status_code == status  # type: ignore[attr-defined]
