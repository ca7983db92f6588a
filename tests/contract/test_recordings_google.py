"""The Google adapter reads every recording right: over real sockets, in pieces of any size, cut anywhere."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyllm.errors import ModelNotFoundError, ParseError, RequestError
from flyllm.providers import google_wire
from flyllm.providers.payload import mapping
from flyllm.providers.sse import events
from flyllm.types import FinishReason
from tests.contract.recordings import (
    FINISH,
    Answer,
    Recording,
    adapter,
    called,
    cases,
    load,
    of_completion,
    of_deltas,
    request,
)
from tests.contract.recordings import arguments as parsed
from tests.contract.replay import ReplayServer, every, replay_server, reply


def native(recording: Recording) -> bool:
    return "/openai/" not in recording.path


def bodies(recording: Recording) -> list[dict[str, Any]]:
    return [parsed(event.data) for event in events([recording.content])] if recording.streamed else [recording.json]


def finish(expected: Mapping[str, Any]) -> FinishReason:
    """Google ends a function call with STOP."""
    word = expected["finish"]
    return "tool_calls" if word == "STOP" and expected["tools"] else FINISH[word]


def compare(answer: Answer, recording: Recording) -> None:
    expected = recording.expected
    assert answer.text == expected["text"]
    assert called(answer) == [(name, parsed(given)) for name, given in expected["tools"]]
    assert answer.finish_reason == finish(expected)
    counted, usage = mapping(bodies(recording)[-1].get("usageMetadata")), answer.usage
    assert usage is not None
    assert [counted.get("promptTokenCount"), counted.get("candidatesTokenCount")] == expected["usage"]
    thoughts, tools = counted.get("thoughtsTokenCount"), counted.get("toolUsePromptTokenCount", 0)
    assert usage.prompt_tokens == counted["promptTokenCount"] + tools
    assert usage.completion_tokens == counted.get("candidatesTokenCount", 0) + (thoughts or 0)
    assert usage.total_tokens == counted["totalTokenCount"] == usage.prompt_tokens + usage.completion_tokens
    assert usage.reasoning_tokens == thoughts
    assert usage.cached_tokens == counted.get("cachedContentTokenCount")


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


@pytest.fixture(scope="module")
def provider(server: ReplayServer) -> Iterator[Any]:
    made = adapter("google", server.origin + "/v1beta")
    yield made
    made.close()


def model(recording: Recording) -> str:
    return recording.path.rpartition("/")[2].partition(":")[0]


@pytest.mark.parametrize("recording", cases("gemini", where=lambda r: native(r) and not r.failed and not r.streamed))
def test_a_call_reads_what_the_bytes_say(server: ReplayServer, provider: Any, recording: Recording) -> None:
    """Text, tool calls, finish and usage of every recorded answer, received in pieces of 64 bytes."""
    server.play(reply(recording, every(64, recording.content)))
    completion = provider.generate(request(model(recording)))
    compare(of_completion(completion), recording)
    assert completion.model == recording.json["modelVersion"]
    assert completion.raw == recording.json
    assert completion.request_id == recording.json.get("responseId")
    assert [seen.path for seen in server.seen] == [recording.path]


@pytest.mark.parametrize("size", [1, 7, 64, 0])
@pytest.mark.parametrize("recording", cases("gemini", where=lambda r: native(r) and not r.failed and r.streamed))
def test_a_stream_reads_what_the_bytes_say_in_pieces_of_any_size(
    server: ReplayServer, provider: Any, recording: Recording, size: int
) -> None:
    """Pieces of 1, 7 and 64 bytes and the whole body at once read the same; the connection is used again."""
    server.play(reply(recording, every(size, recording.content)))
    before = server.connections
    answer = of_deltas(provider.stream(request(model(recording))))
    compare(answer, recording)
    parts = [part for body in bodies(recording) for part in body["candidates"][0]["content"]["parts"]]
    assert answer.reasoning == "".join(part["text"] for part in parts if part.get("thought"))
    assert [seen.path for seen in server.seen] == [f"{recording.path}?alt=sse"]
    assert server.connections <= max(before, 1)


@pytest.mark.parametrize("recording", cases("gemini", where=lambda r: native(r) and r.failed))
def test_a_recorded_refusal_is_a_typed_error(server: ReplayServer, provider: Any, recording: Recording) -> None:
    """The real 404 becomes the class, status, code and message that the body says, also for a stream."""
    server.play(reply(recording))
    for send in (provider.generate, provider.stream):
        with pytest.raises(ModelNotFoundError) as caught:
            send(request())
        assert caught.value.status_code == 404
        assert recording.json["error"]["message"][:60] in str(caught.value)
    assert len(server.seen) == 2


STREAMS = [r for r in load("gemini") if r.streamed]
needs_streams = pytest.mark.skipif(not STREAMS, reason="no recordings (set FLYLLM_RECORDINGS)")
one_stream = st.sampled_from(STREAMS) if STREAMS else st.nothing()


@needs_streams
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_split_of_a_stream_reads_the_same(data: st.DataObject) -> None:
    """Where the network cuts a body into pieces cannot be seen in the answer."""
    recording = data.draw(one_stream)
    cuts = data.draw(st.lists(st.integers(1, len(recording.content)), max_size=40))
    compare(of_deltas(google_wire.read_events(events(reply(recording, cuts).pieces))), recording)


@needs_streams
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cut_stream_is_an_error_or_whole(server: ReplayServer, provider: Any, data: st.DataObject) -> None:
    """A stream that stops at any byte, cleanly, closed or reset, is never a partial answer without an error."""
    recording = data.draw(one_stream)
    length = len(recording.content)
    where = data.draw(st.integers(0, length) | st.integers(max(0, length - 800), length))
    server.play(reply(recording, stop_after=where, ending=data.draw(st.sampled_from(["clean", "close", "reset"]))))
    try:
        answer = of_deltas(provider.stream(request()))
    except (RequestError, ParseError):
        pass
    else:
        compare(answer, recording)
