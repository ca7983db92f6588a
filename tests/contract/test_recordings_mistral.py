"""The Mistral adapter reads every recording right: over real sockets, in pieces of any size, cut anywhere."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyllm.errors import ParseError, RequestError
from tests.contract.recordings import Recording, adapter, cases, compare, load, of_completion, of_deltas, request
from tests.contract.replay import ReplayServer, every, replay_server, reply

STREAMS = [recording for recording in load("mistral") if recording.streamed]


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


@pytest.fixture(scope="module")
def provider(server: ReplayServer) -> Iterator[Any]:
    made = adapter("mistral", server.origin + "/v1")
    yield made
    made.close()


@pytest.mark.parametrize("size", [1, 64, 0])
@pytest.mark.parametrize("recording", cases("mistral", where=lambda r: not r.streamed))
def test_a_call_reads_what_the_bytes_say(server: ReplayServer, provider: Any, recording: Recording, size: int) -> None:
    """Text, tool calls, finish, usage and cached tokens of every recorded answer."""
    server.play(reply(recording, every(size, recording.content)))
    completion = provider.generate(request())
    compare(of_completion(completion), recording.expected)
    assert completion.raw == recording.json
    assert completion.model == recording.json["model"]
    assert completion.request_id == recording.json["id"]
    counted = recording.json["usage"]
    cached = counted.get("num_cached_tokens", counted.get("prompt_tokens_details", {}).get("cached_tokens"))
    assert completion.usage.cached_tokens == cached
    assert [(seen.path, seen.json["stream"]) for seen in server.seen] == [(recording.path, False)]


@pytest.mark.parametrize("size", [1, 7, 64, 0])
@pytest.mark.parametrize("recording", cases("mistral", where=lambda r: r.streamed))
def test_a_stream_reads_what_the_bytes_say_in_pieces_of_any_size(
    server: ReplayServer, provider: Any, recording: Recording, size: int
) -> None:
    """Magistral's thoughts come as lists of parts and are reasoning, not text."""
    server.play(reply(recording, every(size, recording.content)))
    answer = of_deltas(provider.stream(request()))
    compare(answer, recording.expected)
    assert answer.reasoning.startswith("Okay")
    assert [(seen.path, seen.json["stream"]) for seen in server.seen] == [(recording.path, True)]


@pytest.mark.skipif(not STREAMS, reason="no recordings (set FLYLLM_RECORDINGS)")
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cut_stream_is_an_error_or_whole(server: ReplayServer, provider: Any, data: st.DataObject) -> None:
    """A stream that stops at any byte, cleanly, closed or reset, is never a partial answer without an error."""
    recording = data.draw(st.sampled_from(STREAMS))
    length = len(recording.content)
    where = data.draw(st.integers(0, length) | st.integers(max(0, length - 400), length))
    server.play(reply(recording, stop_after=where, ending=data.draw(st.sampled_from(["clean", "close", "reset"]))))
    try:
        answer = of_deltas(provider.stream(request()))
    except (RequestError, ParseError):
        pass
    else:
        compare(answer, recording.expected)
