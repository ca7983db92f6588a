"""The Cohere adapter reads every recording right: over real sockets, in pieces of any size.

The recordings hold no stream; the events here are those of docs.cohere.com/v2/docs/streaming.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyllm.errors import ParseError, RequestError
from flyllm.types import TokenUsage, ToolCall
from tests.contract.recordings import Recording, adapter, cases, compare, of_completion, of_deltas, request
from tests.contract.replay import ReplayServer, Reply, every, replay_server, reply


def event(kind: str, index: int | None = None, **delta: Any) -> bytes:
    data = {"type": kind, **({"index": index} if index is not None else {}), **({"delta": delta} if delta else {})}
    return f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def message(kind: str, index: int | None = None, **fields: Any) -> bytes:
    return event(kind, index, message=fields)


USAGE = {
    "billed_units": {"input_tokens": 9.0, "output_tokens": 4.0},
    "tokens": {"input_tokens": 83.0, "output_tokens": 63.0},
    "cached_tokens": 48,
}
CALL = {"id": "get_weather_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}
STREAM = b"".join(
    (
        message("message-start", role="assistant", content=[], tool_plan="", tool_calls=[], citations=[]),
        message("content-start", 0, content={"type": "thinking", "thinking": ""}),
        message("content-delta", 0, content={"thinking": "Hm\u2028m"}),
        event("content-end", 0),
        message("content-start", 1, content={"type": "text", "text": "Two "}),
        message("content-delta", 1, content={"text": "cities:\x85 Zürich, 東京"}),
        event("content-end", 1),
        message("citation-start", 0, citations={"start": 0, "end": 3, "text": "Two", "sources": []}),
        event("citation-end", 0),
        message("tool-plan-delta", tool_plan=" I look."),
        message("tool-call-start", 0, tool_calls=CALL),
        message("tool-call-delta", 0, tool_calls={"function": {"arguments": '{"city":'}}),
        message("tool-call-delta", 0, tool_calls={"function": {"arguments": '"Paris"}'}}),
        event("tool-call-end", 0),
        message("tool-call-start", 1, tool_calls={**CALL, "id": "now_2", "function": {"name": "now"}}),
        event("tool-call-end", 1),
        event("message-end", finish_reason="TOOL_CALL", usage=USAGE),
    )
)


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


@pytest.fixture(scope="module")
def provider(server: ReplayServer) -> Iterator[Any]:
    made = adapter("cohere", server.origin + "/v2")
    yield made
    made.close()


def stream(cuts: Any = (), **changes: Any) -> Reply:
    return Reply(content_type="text/event-stream", body=STREAM, cuts=cuts, **changes)


def check(answer: Any) -> None:
    assert answer.text == "Two cities:\x85 Zürich, 東京"
    assert answer.reasoning == "Hm\u2028m I look."
    assert answer.tool_calls == (
        ToolCall("get_weather_1", "get_weather", '{"city":"Paris"}'),
        ToolCall("now_2", "now", "{}"),
    )
    assert answer.finish_reason == "tool_calls"
    assert answer.usage == TokenUsage(83, 63, 146, cached_tokens=48)


@pytest.mark.parametrize("size", [1, 7, 64, 0])
@pytest.mark.parametrize("recording", cases("cohere"))
def test_a_call_reads_what_the_bytes_say(server: ReplayServer, provider: Any, recording: Recording, size: int) -> None:
    """Text, plan, tool calls, finish and usage; the tokens processed, not the fewer ones billed."""
    server.play(reply(recording, every(size, recording.content)))
    completion = provider.generate(request())
    compare(of_completion(completion), recording.expected)
    assert completion.raw == recording.json
    assert completion.request_id == recording.json["id"]
    assert completion.reasoning == recording.json["message"].get("tool_plan")
    assert completion.usage.cached_tokens == recording.json["usage"].get("cached_tokens")
    assert [(seen.path, seen.json["stream"]) for seen in server.seen] == [(recording.path, False)]


@pytest.mark.parametrize("size", [1, 7, 64, 0])
def test_a_stream_reads_what_the_bytes_say_in_pieces_of_any_size(
    server: ReplayServer, provider: Any, size: int
) -> None:
    """Thoughts, text, plan and tool calls, however the network cuts them."""
    server.play(stream(every(size, STREAM)))
    check(of_deltas(provider.stream(request())))
    assert [(seen.path, seen.json["stream"]) for seen in server.seen] == [("/v2/chat", True)]


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cut_stream_is_an_error_or_whole(server: ReplayServer, provider: Any, data: st.DataObject) -> None:
    """A stream that stops at any byte, cleanly, closed or reset, is never a partial answer without an error."""
    where = data.draw(st.integers(0, len(STREAM)) | st.integers(len(STREAM) - 300, len(STREAM)))
    server.play(stream(stop_after=where, ending=data.draw(st.sampled_from(["clean", "close", "reset"]))))
    try:
        answer = of_deltas(provider.stream(request()))
    except (RequestError, ParseError):
        pass
    else:
        check(answer)
