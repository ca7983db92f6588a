"""The chat-completions adapters read every recording right: over real sockets, in pieces of any size, cut anywhere."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyllm.errors import InvalidRequestError, ModelNotFoundError, ParseError, RequestError
from flyllm.providers import chat_wire
from flyllm.providers.base import Delta
from flyllm.providers.sse import events
from tests.contract.recordings import (
    Answer,
    Recording,
    adapter,
    cases,
    compare,
    load,
    of_completion,
    of_deltas,
    request,
)
from tests.contract.replay import ReplayServer, every, replay_server, reply

PROVIDERS = ("openai", "groq", "ollama", "gemini")
DOORS = {
    # What the recording was made with: provider, and the version part of its path.
    "/v1/chat/completions": ("openai", "/v1"),
    "/openai/v1/chat/completions": ("groq", "/openai/v1"),
    "/v1beta/openai/chat/completions": ("google", "/v1beta/openai"),
}
REFUSED = {"text": "I'm sorry, I can't assist with that request.", "finish": "content_filter"}
BYTES_WIN: dict[str, Mapping[str, Any]] = {
    # The name of the tool stands in two fragments of one call, whole each time; the guide put both together.
    "766f7681f883": {"tools": [["llm_version", {}]]},
    # Refusals: the guide leaves their text out, and OpenAI ends them with "stop".
    "7bf1b87d5084": REFUSED,
    "93c00546fae3": {**REFUSED, "text": "I'm very sorry, but I can't assist with that."},
}
ERRORS = {
    "e735fcde6d90": (InvalidRequestError, 400, None),
    "81342bffb2c5": (ModelNotFoundError, 404, "model_not_found"),
    "8036803788ff": (ModelNotFoundError, 404, "model_not_found"),
    "3e43ca9b5a00": (InvalidRequestError, 400, "tool_use_failed"),
}
IN_BAND = "b8fa70bc870b"
"""Groq's stream that ends in `event: error` after some reasoning."""


def chat(recording: Recording) -> bool:
    return recording.path in DOORS


def answered(recording: Recording) -> bool:
    return chat(recording) and not recording.failed and recording.id != IN_BAND


def expected(recording: Recording) -> Mapping[str, Any]:
    return {**recording.expected, **BYTES_WIN.get(recording.id, {})}


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


@pytest.fixture(scope="module")
def adapters(server: ReplayServer) -> Iterator[dict[str, Any]]:
    made = {
        path: adapter(provider, server.origin + version, api="chat_completions")
        for path, (provider, version) in DOORS.items()
    }
    yield made
    for each in made.values():
        each.close()


@pytest.mark.parametrize("recording", cases(*PROVIDERS, where=lambda r: answered(r) and not r.streamed))
def test_a_call_reads_what_the_bytes_say(server: ReplayServer, adapters: dict[str, Any], recording: Recording) -> None:
    """Text, tool calls, finish and usage of every recorded answer, received in pieces of 64 bytes."""
    server.play(reply(recording, every(64, recording.content)))
    answer = of_completion(adapters[recording.path].generate(request()))
    compare(answer, expected(recording))
    assert answer.model == recording.json["model"]
    assert [seen.path for seen in server.seen] == [recording.path]


@pytest.mark.parametrize("size", [1, 7, 64, 0])
@pytest.mark.parametrize("recording", cases(*PROVIDERS, where=lambda r: answered(r) and r.streamed))
def test_a_stream_reads_what_the_bytes_say_in_pieces_of_any_size(
    server: ReplayServer, adapters: dict[str, Any], recording: Recording, size: int
) -> None:
    """Pieces of 1, 7 and 64 bytes and the whole body at once read the same."""
    server.play(reply(recording, every(size, recording.content)))
    compare(of_deltas(adapters[recording.path].stream(request())), expected(recording))
    assert len(server.seen) == 1


def test_a_connection_serves_call_and_stream_after_stream(server: ReplayServer) -> None:
    """A stream that was read to its end gives its connection back."""
    streams = [r for r in load("openai") if answered(r) and r.streamed]
    if not streams:
        pytest.skip("no recordings")
    before = server.connections
    provider = adapter("openai", server.origin + "/v1")
    for recording in streams[:8]:
        server.play(reply(recording))
        of_deltas(provider.stream(request()))
    provider.close()
    assert server.connections == before + 1


@pytest.mark.parametrize("recording", cases(*PROVIDERS, where=lambda r: chat(r) and r.failed))
def test_a_recorded_refusal_is_a_typed_error(
    server: ReplayServer, adapters: dict[str, Any], recording: Recording
) -> None:
    """Real 400s and 404s become the class, status, code and message that the body says, also for a stream."""
    kind, status, code = ERRORS[recording.id]
    server.play(reply(recording))
    for send in (adapters[recording.path].generate, adapters[recording.path].stream):
        with pytest.raises(kind) as caught:
            send(request())
        assert (caught.value.status_code, caught.value.code) == (status, code or caught.value.code)
        assert recording.json["error"]["message"][:60] in str(caught.value)
    assert len(server.seen) == 2


@pytest.mark.parametrize("recording", cases("groq", where=lambda r: r.id == IN_BAND))
def test_an_error_within_a_stream_is_raised_after_what_came_before(
    server: ReplayServer, adapters: dict[str, Any], recording: Recording
) -> None:
    """Groq's in-band error keeps its own status and code, and the connection is not leaked."""
    server.play(reply(recording))
    before: list[Delta] = []
    with pytest.raises(InvalidRequestError) as caught:
        before.extend(adapters[recording.path].stream(request()))
    assert any(delta.reasoning for delta in before)
    assert (caught.value.status_code, caught.value.code) == (400, "tool_use_failed")


def read_in_pieces(recording: Recording, cuts: list[int]) -> Answer:
    read = chat_wire.events_reader(lambda _: None)
    return of_deltas(read(events(reply(recording, cuts).pieces)))


STREAMS = [r for name in PROVIDERS for r in load(name) if answered(r) and r.streamed]
needs_streams = pytest.mark.skipif(not STREAMS, reason="no recordings (set FLYLLM_RECORDINGS)")
one_stream = st.sampled_from(STREAMS) if STREAMS else st.nothing()


@needs_streams
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_split_of_a_stream_reads_the_same(data: st.DataObject) -> None:
    """Where the network cuts a body into pieces cannot be seen in the answer."""
    recording = data.draw(one_stream)
    cuts = data.draw(st.lists(st.integers(1, len(recording.content)), max_size=40))
    compare(read_in_pieces(recording, cuts), expected(recording))


@needs_streams
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cut_stream_is_an_error_or_whole(server: ReplayServer, adapters: dict[str, Any], data: st.DataObject) -> None:
    """A stream that stops at any byte, cleanly, closed or reset, is never a partial answer without an error."""
    recording = data.draw(one_stream)
    length = len(recording.content)
    where = data.draw(st.integers(0, length) | st.integers(max(0, length - 800), length))
    server.play(reply(recording, stop_after=where, ending=data.draw(st.sampled_from(["clean", "close", "reset"]))))
    try:
        answer = of_deltas(adapters[recording.path].stream(request()))
    except (RequestError, ParseError):
        pass
    else:
        whole = expected(recording)
        # Usage may come after the finish reason, and be lost with what follows it.
        compare(answer, whole if answer.usage else {**whole, "usage": None})
