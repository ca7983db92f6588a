"""The Responses adapter reads every recording right; what is right is read from the raw JSON by the few lines here."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyllm.errors import InvalidRequestError, ModelNotFoundError, ParseError, RequestError
from flyllm.providers import responses_wire
from flyllm.providers.sse import events
from tests.contract.recordings import (
    Answer,
    Recording,
    adapter,
    arguments,
    called,
    cases,
    load,
    of_completion,
    of_deltas,
    request,
)
from tests.contract.replay import ReplayServer, every, replay_server, reply

PATH = "/v1/responses"
ERRORS = {
    "7adcd33055cb": (ModelNotFoundError, "model_not_found"),
    "413ebf632cd1": (InvalidRequestError, "unsupported_file"),
    "98a6e96ae6c8": (InvalidRequestError, "unsupported_file"),
    "a1eba5cb9130": (InvalidRequestError, "decimal_below_min_value"),
}


def responses(recording: Recording) -> bool:
    return recording.path == PATH and not recording.failed


def truth(recording: Recording) -> dict[str, Any]:
    """The response object of a recording: the body, or what the last event of a stream holds."""
    if not recording.streamed:
        whole: dict[str, Any] = recording.json
        return whole
    found = [json.loads(line[5:]) for line in recording.body.splitlines() if line.startswith("data:")]
    last: dict[str, Any] = found[-1]["response"]
    return last


def check(answer: Answer, recording: Recording) -> None:
    response = truth(recording)
    said = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    assert answer.text == "".join(part["text"] for part in said if part["type"] == "output_text")
    calls = [item for item in response["output"] if item["type"] == "function_call"]
    searches = [item for item in response["output"] if item.get("execution") == "client"]
    assert called(answer) == [(c["name"], arguments(c["arguments"])) for c in calls] + [
        ("tool_search", item["arguments"]) for item in searches
    ]
    assert [call.id for call in answer.tool_calls] == [item["call_id"] for item in calls + searches]
    thoughts = [part["text"] for item in response["output"] for part in item.get("summary") or ()]
    assert answer.reasoning == "\n\n".join(thoughts)
    assert answer.finish_reason == ("tool_calls" if answer.tool_calls else "stop")
    assert answer.model == response["model"]
    check_usage(answer, response["usage"])


def check_usage(answer: Answer, spent: dict[str, Any]) -> None:
    usage = answer.usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (spent["input_tokens"], spent["output_tokens"])
    assert usage.total_tokens == spent["input_tokens"] + spent["output_tokens"]
    assert usage.cached_tokens == (spent.get("input_tokens_details") or {}).get("cached_tokens")
    assert usage.reasoning_tokens == (spent.get("output_tokens_details") or {}).get("reasoning_tokens")


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


@pytest.fixture(scope="module")
def provider(server: ReplayServer) -> Iterator[Any]:
    made = adapter("openai", server.origin + "/v1", api="responses")
    yield made
    made.close()


@pytest.mark.parametrize("recording", cases("openai", where=lambda r: responses(r) and not r.streamed))
def test_a_call_reads_what_the_bytes_say(server: ReplayServer, provider: Any, recording: Recording) -> None:
    """Text, calls, reasoning, usage and model of every recorded answer."""
    server.play(reply(recording, every(64, recording.content)))
    completion = provider.generate(request())
    check(of_completion(completion), recording)
    assert completion.raw == recording.json
    assert [seen.path for seen in server.seen] == [PATH]


@pytest.mark.parametrize("size", [1, 7, 64, 0])
@pytest.mark.parametrize("recording", cases("openai", where=lambda r: responses(r) and r.streamed))
def test_a_stream_reads_what_the_bytes_say_in_pieces_of_any_size(
    server: ReplayServer, provider: Any, recording: Recording, size: int
) -> None:
    """What deltas add up to is what the terminal event says, nothing lost and nothing twice."""
    server.play(reply(recording, every(size, recording.content)))
    check(of_deltas(provider.stream(request())), recording)
    assert len(server.seen) == 1


@pytest.mark.parametrize("recording", cases("openai", where=lambda r: r.path == PATH and r.failed))
def test_a_recorded_refusal_is_a_typed_error(server: ReplayServer, provider: Any, recording: Recording) -> None:
    """Real 400s become the class and code that the body says, also for a stream."""
    kind, code = ERRORS[recording.id]
    server.play(reply(recording))
    for send in (provider.generate, provider.stream):
        with pytest.raises(kind) as caught:
            send(request())
        assert (caught.value.status_code, caught.value.code) == (400, code)


STREAMS = [r for r in load("openai") if responses(r) and r.streamed]
needs_streams = pytest.mark.skipif(not STREAMS, reason="no recordings (set FLYLLM_RECORDINGS)")
one_stream = st.sampled_from(STREAMS) if STREAMS else st.nothing()


@needs_streams
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_split_of_a_stream_reads_the_same(data: st.DataObject) -> None:
    """Where the network cuts a body into pieces cannot be seen in the answer."""
    recording = data.draw(one_stream)
    cuts = data.draw(st.lists(st.integers(1, len(recording.content)), max_size=40))
    read = responses_wire.events_reader(lambda _: None)
    check(of_deltas(read(events(reply(recording, cuts).pieces))), recording)


@needs_streams
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cut_stream_is_an_error_or_whole(server: ReplayServer, provider: Any, data: st.DataObject) -> None:
    """A stream that stops at any byte, cleanly, closed or reset, is never a partial answer without an error."""
    recording = data.draw(one_stream)
    where = data.draw(st.integers(0, len(recording.content)))
    server.play(reply(recording, stop_after=where, ending=data.draw(st.sampled_from(["clean", "close", "reset"]))))
    try:
        answer = of_deltas(provider.stream(request()))
    except (RequestError, ParseError):
        pass
    else:
        check(answer, recording)
