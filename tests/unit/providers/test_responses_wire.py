"""Reading the Responses API: every status, refusals, reasoning, and streams whose parts disagree with their end."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from flyllm.errors import (
    ContentFilterError,
    InvalidRequestError,
    LLMError,
    OverloadedError,
    ParseError,
    RateLimitError,
    RequestError,
    ServerError,
)
from flyllm.providers import responses_wire
from flyllm.providers.base import Delta
from flyllm.providers.sse import ServerEvent
from flyllm.types import ToolCall


def message(*texts: str, kind: str = "output_text") -> dict[str, Any]:
    field = "text" if kind == "output_text" else kind
    return {"type": "message", "role": "assistant", "content": [{"type": kind, field: text} for text in texts]}


def response(*output: dict[str, Any], status: str = "completed", **fields: Any) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "model": "m", "status": status, "output": list(output), **fields}


def call(name: str = "f", call_id: str = "call_1", arguments: str = '{"a":1}') -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments, "status": "completed"}


def read_stream(*events: Mapping[str, Any]) -> list[Delta]:
    source = iter([ServerEvent("", json.dumps(event)) for event in events])
    return list(responses_wire.events_reader(lambda _: None)(source))


def said(deltas: list[Delta]) -> str:
    return "".join(delta.content for delta in deltas)


def text(piece: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "item_id": "msg_1", "delta": piece}


def ended(whole: Mapping[str, Any], kind: str = "completed") -> dict[str, Any]:
    return {"type": f"response.{kind}", "response": whole}


@pytest.mark.parametrize(
    ("whole", "reason"),
    [
        (response(message("Hi")), "stop"),
        (response(message("Hi"), status="complete"), "stop"),  # a gateway's word, seen in a recording
        (response(call()), "tool_calls"),
        (response(message("Hi"), call()), "tool_calls"),
        (response(message("No.", kind="refusal")), "content_filter"),
        (response(message("H"), status="incomplete", incomplete_details={"reason": "max_output_tokens"}), "length"),
        (response(status="incomplete", incomplete_details={"reason": "content_filter"}), "content_filter"),
        (response(message("H"), status="incomplete", incomplete_details={"reason": "max_tool_calls"}), "other"),
        (response(message("H"), status="incomplete", incomplete_details=None), "other"),
    ],
)
def test_status_and_output_give_the_finish_reason(whole: dict[str, Any], reason: str) -> None:
    """The API has no finish reason; call and stream derive the same one."""
    assert responses_wire.read(whole, {}).finish_reason == reason
    kind = "incomplete" if whole["status"] == "incomplete" else "completed"
    assert read_stream(ended(whole, kind))[-1].finish_reason == reason


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "server_error", "message": "broke"}, ServerError),
        ({"code": "rate_limit_exceeded", "message": "slow"}, RateLimitError),
        ({"code": "invalid_prompt", "message": "no"}, InvalidRequestError),
        ({"code": "image_too_large", "message": "no"}, InvalidRequestError),
        ({"code": "bio_policy", "message": "no"}, ContentFilterError),
        (None, ServerError),
    ],
)
@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_failed_answer_is_an_error(status: str, error: Any, kind: type[LLMError]) -> None:
    """A failure inside a 200 is never an empty answer, whole or streamed, with or without an error object."""
    whole = response(status=status, error=error)
    with pytest.raises(kind):
        responses_wire.read(whole, {})
    with pytest.raises(kind) as caught:
        read_stream(text("Hal"), ended(whole, status))
    assert caught.value.request_id == "resp_1"
    with pytest.raises(kind):
        read_stream(ended(whole, "completed"))


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_an_unfinished_answer_is_the_callers_fault(status: str) -> None:
    """`background: true` gives no answer; asking again would start another run."""
    with pytest.raises(InvalidRequestError, match="background"):
        responses_wire.read(response(status=status), {})


@pytest.mark.parametrize("whole", [{}, {"output": None}, {"status": "completed", "output": "x"}])
def test_a_reply_without_output_is_unreadable(whole: dict[str, Any]) -> None:
    """An odd 200 is an error, not an empty answer."""
    with pytest.raises(ParseError, match="output"):
        responses_wire.read(whole, {"x-request-id": "r"})


def test_output_items_are_read_by_their_type() -> None:
    """Reasoning, several messages, calls of both kinds and items of the provider's own tools."""
    reasoning = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}],
        "content": [{"type": "reasoning_text", "text": "Three."}],
    }
    custom = {"type": "custom_tool_call", "call_id": "call_2", "name": "shell", "input": "ls"}
    search = {"type": "search_results", "results": [{"url": "https://a"}]}
    got = responses_wire.read(response(reasoning, search, message("A", "B"), call(), custom, message("C")), {})
    assert (got.content, got.reasoning) == ("ABC", "One.\n\nTwo.\n\nThree.")
    assert got.tool_calls == (ToolCall("call_1", "f", '{"a":1}'), ToolCall("call_2", "shell", "ls"))
    assert got.raw["output"][1] == search


def test_usage_counts_cached_and_reasoning_tokens_within() -> None:
    """The API's own totals are taken as they are."""
    details = {"input_tokens_details": {"cached_tokens": 4}, "output_tokens_details": {"reasoning_tokens": 2}}
    usage = responses_wire.read(response(usage={"input_tokens": 9, "output_tokens": 5, **details}), {}).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (9, 5, 14)
    assert (usage.cached_tokens, usage.reasoning_tokens) == (4, 2)


@pytest.mark.parametrize(
    ("pieces", "snapshot"),
    [
        (["He", "llo"], ["Hello"]),  # told in deltas, repeated at the end
        ([], ["Hello"]),  # told only at the end
        (["He"], ["Hello"]),  # the rest told at the end
        (["He", "llo"], []),  # an end without a snapshot
        (["Hel"], ["Hel", "lo"]),  # a second message only at the end
    ],
)
def test_text_is_neither_lost_nor_doubled_at_the_end(pieces: list[str], snapshot: list[str]) -> None:
    """However deltas and terminal event share the text, the stream says it once."""
    whole = response(*(message(part) for part in snapshot))
    assert said(read_stream(*map(text, pieces), ended(whole))) == "Hello"


def test_a_snapshot_that_tells_it_otherwise_does_not_repeat_the_text() -> None:
    """What was handed over stands."""
    assert said(read_stream(text("Hello "), ended(response(message("Hello"))))) == "Hello "


def test_a_refusal_in_a_stream_is_its_text_and_a_content_filter() -> None:
    """Refusals stream by their own event."""
    deltas = read_stream(
        {"type": "response.refusal.delta", "delta": "No"}, ended(response(message("No", kind="refusal")))
    )
    assert (said(deltas), deltas[-1].finish_reason) == ("No", "content_filter")


def test_streamed_reasoning_keeps_its_paragraphs() -> None:
    """Parts of a summary are joined as in a whole answer, and not told twice."""
    kind = "response.reasoning_summary_text.delta"
    summary = [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}]
    deltas = read_stream(
        {"type": kind, "item_id": "rs", "summary_index": 0, "delta": "On"},
        {"type": kind, "item_id": "rs", "summary_index": 0, "delta": "e."},
        {"type": kind, "item_id": "rs", "summary_index": 1, "delta": "Two."},
        ended(response({"type": "reasoning", "summary": summary}, message("Hi"))),
    )
    assert "".join(delta.reasoning for delta in deltas) == "One.\n\nTwo."


def test_only_calls_that_the_end_confirms_are_the_callers() -> None:
    """Perplexity announces its own web search as a function call and completes it as search results."""
    own = {"type": "response.output_item.done", "item": {"type": "search_results"}}
    added = {"type": "response.output_item.added", "item": call("search_web")}
    done = {"type": "response.output_item.done", "item": call("search_web")}
    assert not any(delta.tool_calls for delta in read_stream(added, own, ended(response(message("Hi")))))
    assert not any(delta.tool_calls for delta in read_stream(added, done, ended(response(message("Hi")))))
    parts = read_stream(added, own, ended(response(call("mine", "call_9"))))[-1].tool_calls
    assert [(part.id, part.name, part.arguments) for part in parts] == [("call_9", "mine", '{"a":1}')]


def test_calls_survive_an_end_without_a_snapshot() -> None:
    """Some gateways send an empty output at the end."""
    last = read_stream({"type": "response.output_item.done", "item": call()}, ended(response()))[-1]
    assert (last.finish_reason, last.tool_calls[0].name) == ("tool_calls", "f")


@pytest.mark.parametrize(
    ("event", "kind", "code"),
    [
        ({"type": "error", "code": "server_is_overloaded", "message": "m"}, OverloadedError, "server_is_overloaded"),
        ({"type": "error", "code": None, "message": "m", "param": None}, ServerError, None),
        ({"type": "error", "error": {"type": "invalid_request", "code": 400}}, InvalidRequestError, "invalid_request"),
        ({"error": {"message": "m", "code": 429}}, RateLimitError, "429"),
    ],
)
def test_an_error_event_is_raised(event: dict[str, Any], kind: type[LLMError], code: str | None) -> None:
    """In every shape in which one was seen."""
    with pytest.raises(kind) as caught:
        read_stream(text("Hi"), event)
    assert caught.value.code == code


def test_an_event_of_an_unknown_type_adds_nothing() -> None:
    """New events must not break old clients; nor does a sentinel that this API does not have."""
    source = [ServerEvent("", '{"type":"response.unknown"}'), ServerEvent("", ""), ServerEvent("", "[DONE]")]
    done = ServerEvent("", json.dumps(ended(response(message("Hi")))))
    assert said(list(responses_wire.events_reader(lambda _: None)(iter([*source, done])))) == "Hi"


def test_the_type_may_stand_in_the_event_name() -> None:
    """`event:` names what `type` leaves out."""
    events = [
        ServerEvent("response.output_text.delta", '{"delta":"Hi"}'),
        ServerEvent("response.completed", '{"response":{"output":[]}}'),
    ]
    assert said(list(responses_wire.events_reader(lambda _: None)(iter(events)))) == "Hi"


def test_a_stream_without_a_terminal_event_is_an_error() -> None:
    """Even if all text had come."""
    with pytest.raises(RequestError, match="ended early"):
        read_stream(text("Hi"), {"type": "response.output_text.done", "text": "Hi"})
