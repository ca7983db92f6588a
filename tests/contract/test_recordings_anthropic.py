"""The Anthropic adapter reads every recording right: over real sockets, in pieces of any size, cut anywhere."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyllm.errors import InvalidRequestError, ParseError, RequestError
from flyllm.providers import anthropic_wire
from flyllm.providers.payload import mapping
from flyllm.providers.sse import events
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

PATH = "/v1/messages"


def usage_in(recording: Recording) -> dict[str, Any]:
    """The counts in the raw bytes: of a stream's last report, over what the first one said."""
    if not recording.streamed:
        return mapping(recording.json.get("usage"))
    found: dict[str, Any] = {}
    for event in events([recording.content]):
        data = parsed(event.data)
        reported = mapping(data.get("usage")) or mapping(mapping(data.get("message")).get("usage"))
        found.update({name: value for name, value in reported.items() if value is not None})
    return found


def compare(answer: Answer, recording: Recording) -> None:
    expected = recording.expected
    assert answer.text == expected["text"]
    assert called(answer) == [(name, parsed(given)) for name, given in expected["tools"]]
    assert answer.finish_reason == FINISH[expected["finish"]]
    counted, usage = usage_in(recording), answer.usage
    assert usage is not None
    assert [counted["input_tokens"], counted["output_tokens"]] == expected["usage"]
    cached = (counted.get("cache_read_input_tokens") or 0) + (counted.get("cache_creation_input_tokens") or 0)
    assert usage.prompt_tokens == counted["input_tokens"] + cached
    assert usage.completion_tokens == counted["output_tokens"]
    assert usage.total_tokens == counted["input_tokens"] + cached + counted["output_tokens"]
    assert usage.cached_tokens == counted.get("cache_read_input_tokens")
    assert usage.reasoning_tokens == mapping(counted.get("output_tokens_details")).get("thinking_tokens")


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


@pytest.fixture(scope="module")
def provider(server: ReplayServer) -> Iterator[Any]:
    made = adapter("anthropic", server.origin + "/v1")
    yield made
    made.close()


@pytest.mark.parametrize("recording", cases("anthropic", where=lambda r: not r.failed and not r.streamed))
def test_a_call_reads_what_the_bytes_say(server: ReplayServer, provider: Any, recording: Recording) -> None:
    """Text, tool calls, finish and usage of every recorded answer, received in pieces of 64 bytes."""
    server.play(reply(recording, every(64, recording.content)))
    completion = provider.generate(request())
    compare(of_completion(completion), recording)
    assert completion.model == recording.json["model"]
    assert completion.raw == recording.json
    thoughts = [block["thinking"] for block in recording.json["content"] if block["type"] == "thinking"]
    assert (completion.reasoning or "") == "".join(thoughts)
    assert [seen.path for seen in server.seen] == [PATH]


@pytest.mark.parametrize("size", [1, 7, 64, 0])
@pytest.mark.parametrize("recording", cases("anthropic", where=lambda r: not r.failed and r.streamed))
def test_a_stream_reads_what_the_bytes_say_in_pieces_of_any_size(
    server: ReplayServer, provider: Any, recording: Recording, size: int
) -> None:
    """Pieces of 1, 7 and 64 bytes and the whole body at once read the same; the connection is used again."""
    server.play(reply(recording, every(size, recording.content)))
    before = server.connections
    compare(of_deltas(provider.stream(request())), recording)
    assert [seen.path for seen in server.seen] == [PATH]
    assert server.connections <= max(before, 1)


@pytest.mark.parametrize("recording", cases("anthropic", where=lambda r: r.failed))
def test_a_recorded_refusal_is_a_typed_error(server: ReplayServer, provider: Any, recording: Recording) -> None:
    """The real 400 becomes the class, status, code and message that the body says, also for a stream."""
    server.play(reply(recording))
    for send in (provider.generate, provider.stream):
        with pytest.raises(InvalidRequestError) as caught:
            send(request())
        assert (caught.value.status_code, caught.value.code) == (400, "invalid_request_error")
        assert recording.json["error"]["message"] in str(caught.value)
    assert len(server.seen) == 2


STREAMS = [r for r in load("anthropic") if r.streamed]
needs_streams = pytest.mark.skipif(not STREAMS, reason="no recordings (set FLYLLM_RECORDINGS)")
one_stream = st.sampled_from(STREAMS) if STREAMS else st.nothing()


@needs_streams
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_split_of_a_stream_reads_the_same(data: st.DataObject) -> None:
    """Where the network cuts a body into pieces cannot be seen in the answer."""
    recording = data.draw(one_stream)
    cuts = data.draw(st.lists(st.integers(1, len(recording.content)), max_size=40))
    read = anthropic_wire.events_reader(lambda _: None)
    compare(of_deltas(read(events(reply(recording, cuts).pieces))), recording)


@needs_streams
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cut_stream_is_an_error_or_whole(server: ReplayServer, provider: Any, data: st.DataObject) -> None:
    """A stream that stops at any byte, cleanly, closed or reset, is never a partial answer without an error."""
    recording = data.draw(one_stream)
    length = len(recording.content)
    where = data.draw(st.integers(0, length) | st.integers(max(0, length - 500), length))
    server.play(reply(recording, stop_after=where, ending=data.draw(st.sampled_from(["clean", "close", "reset"]))))
    try:
        answer = of_deltas(provider.stream(request()))
    except (RequestError, ParseError):
        pass
    else:
        compare(answer, recording)
