"""Rules of streams that go on after they broke off: from the text so far, or from the beginning."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from flyllm.errors import (
    DeadlineExceededError,
    InvalidRequestError,
    RequestError,
    ServerError,
    StreamInterruptedError,
)
from flyllm.providers.base import Delta, ToolCallDelta
from flyllm.request import GenerationRequest, OnInterrupt
from flyllm.types import StreamChunk, TokenUsage
from tests.unit.fakes import Core, FakeProvider, ManualClock, api, core, instance

BREAK = RequestError("the connection broke")
HALF = [Delta(content="The lamp"), BREAK]
END = Delta(finish_reason="stop", usage=TokenUsage(3, 2, 5))
REST = [Delta(content=" turns."), END]
WHOLE = [Delta(content="The sea"), Delta(content=" answers."), END]


def streaming(*scripts: Any, prefill: Any = {}, **fields: Any) -> tuple[Core, list[FakeProvider]]:  # noqa: B006
    """A core with one instance per script, all of which can go on from a text unless `prefill` is None."""
    adapters = [script if isinstance(script, FakeProvider) else FakeProvider(script) for script in scripts]
    row = replace(api(), prefill=prefill)
    return core(*(instance(n, adapter, api=row) for n, adapter in enumerate(adapters)), **fields), adapters


def asking(way: OnInterrupt, prompt: str = "A line?") -> GenerationRequest:
    return GenerationRequest(prompt, on_interrupt=way)


def outcomes(running: Core) -> list[tuple[int, str]]:
    return [(event.attempt.instance_id, event.attempt.outcome) for event in running.recorder.attempts]


# Going on


def test_another_instance_goes_on_from_the_text_so_far() -> None:
    """The consumer sees one answer; the other instance was given its beginning as the assistant's."""
    running, (_, second) = streaming(HALF, REST)
    with running.stream(asking("continue")) as stream:
        assert [chunk.content for chunk in stream] == ["The lamp", " turns.", ""]
    assert stream.response is not None
    assert stream.response.content == stream.text == "The lamp turns."
    assert list(second.requests[0].messages) == [
        {"role": "user", "content": "A line?"},
        {"role": "assistant", "content": "The lamp"},
    ]
    assert outcomes(running) == [(0, "RequestError"), (1, "success")]
    assert [attempt.number for attempt in stream.response.attempts] == [1, 2]
    assert running.pool.in_flight() == 0


def test_an_answer_in_parts_has_cost_what_its_parts_have() -> None:
    """Response and last chunk have the sum, estimated where a part did not say; every attempt has its own."""
    running, _ = streaming(HALF, REST)
    stream = running.stream(asking("continue"))
    *_, last = stream
    assert stream.response is not None
    assert stream.response.usage == last.usage
    assert stream.response.usage.completion_tokens == 2 + 2  # the first two are estimated: 8 characters
    assert stream.response.usage.estimated == {"prompt_tokens", "completion_tokens", "total_tokens"}
    assert [attempt.usage.completion_tokens for attempt in stream.response.attempts] == [2, 2]
    assert running.usage.total().completion_tokens == 4


def test_a_part_that_does_not_tell_its_cost_is_estimated_too() -> None:
    """Beside an earlier part's tokens, nothing would read as none."""
    running, _ = streaming(HALF, [Delta(content=" turns."), Delta(finish_reason="stop")])
    stream = running.stream(asking("continue"))
    list(stream)
    assert stream.response is not None
    assert stream.response.usage.completion_tokens == 2 + 2


def test_the_space_at_the_end_is_not_sent_and_not_doubled() -> None:
    """Anthropic refuses a text that ends with a space, so the model writes it again."""
    running, (_, second) = streaming([Delta(content="The lamp "), BREAK], REST)
    stream = running.stream(asking("continue"))
    assert "".join(chunk.content for chunk in stream) == stream.text == "The lamp turns."
    assert second.requests[0].messages[-1]["content"] == "The lamp"


def test_a_repeated_beginning_is_handed_over_once() -> None:
    """Mistral's models answer with all of it again."""
    running, _ = streaming(HALF, [Delta(content="The la"), Delta(content="mp turns."), END])
    stream = running.stream(asking("continue"))
    assert [chunk.content for chunk in stream] == ["The lamp", " turns.", ""]
    assert stream.text == "The lamp turns."


def test_what_was_held_back_comes_before_the_last_chunk() -> None:
    """A rest that only begins like the text before is text all the same."""
    running, _ = streaming(HALF, [Delta(content="The"), END])
    stream = running.stream(asking("continue"))
    *_, rest, last = stream
    assert (rest.content, last.content, last.finish_reason, stream.text) == ("The", "", "stop", "The lampThe")
    assert stream.response is not None
    assert stream.response.content == stream.text


def test_an_answer_may_go_on_more_than_once() -> None:
    """Every part is given all the text before it."""
    running, (_, _, third) = streaming(HALF, [Delta(content=" turns"), BREAK], [Delta(content=" twice."), END])
    stream = running.stream(asking("continue"))
    assert "".join(chunk.content for chunk in stream) == stream.text == "The lamp turns twice."
    assert third.requests[0].messages[-1]["content"] == "The lamp turns"
    assert stream.response is not None
    assert stream.response.usage.completion_tokens == 2 + 2 + 2


def test_reasoning_before_the_break_stays_in_the_response() -> None:
    """Only the text can be gone on from; what was thought before is kept."""
    running, _ = streaming([Delta(reasoning="hm"), *HALF], REST)
    stream = running.stream(asking("continue"))
    list(stream)
    assert stream.response is not None
    assert (stream.response.reasoning, stream.response.content) == ("hm", "The lamp turns.")


def test_only_an_instance_that_can_goes_on() -> None:
    """An API that would answer the beginning instead of going on from it is not asked."""
    adapters = [FakeProvider(HALF), FakeProvider(WHOLE), FakeProvider(REST)]
    able = replace(api(), prefill={"prefix": True})
    running = core(instance(0, adapters[0]), instance(1, adapters[1]), instance(2, adapters[2], api=able))
    stream = running.stream(asking("continue"))
    assert "".join(chunk.content for chunk in stream) == "The lamp turns."
    assert adapters[2].requests[0].messages[-1] == {"role": "assistant", "content": "The lamp", "prefix": True}
    assert not adapters[1].requests


def test_an_instance_that_refuses_to_go_on_is_passed_over() -> None:
    """Later models refuse an answer's beginning; the next instance is asked."""
    running, _ = streaming(HALF, InvalidRequestError("no prefill", status_code=400), REST)
    stream = running.stream(asking("continue"))
    assert "".join(chunk.content for chunk in stream) == "The lamp turns."
    assert [outcome for _, outcome in outcomes(running)] == ["RequestError", "InvalidRequestError", "success"]


@pytest.mark.parametrize(
    "script",
    [
        [Delta(reasoning="hm"), BREAK],
        [Delta(content=" \n"), BREAK],
        [Delta(content="I look."), Delta(tool_calls=(ToolCallDelta(0, "c", "f", '{"a'),)), BREAK],
    ],
    ids=["reasoning", "space", "half a tool call"],
)
def test_what_no_api_goes_on_from_is_an_interruption(script: list[Any]) -> None:
    """Half a tool call cannot be handed to a model; the consumer is told."""
    running, (_, second) = streaming(script, REST)
    with pytest.raises(StreamInterruptedError):
        list(running.stream(asking("continue")))
    assert not second.requests
    assert len(running.recorder.requests) == 1


# Beginning again


def test_a_restart_is_said_before_it_begins() -> None:
    """The chunk with `reset` takes back what came before; text and response are the second answer's alone."""
    running, (_, second) = streaming(HALF, WHOLE)
    with running.stream(asking("restart")) as stream:
        chunks = list(stream)
    assert [(chunk.content, chunk.reset) for chunk in chunks] == [
        ("The lamp", False),
        ("", True),
        ("The sea", False),
        (" answers.", False),
        ("", False),
    ]
    assert chunks[1] == StreamChunk(reset=True)
    assert stream.text == "The sea answers."
    assert stream.response is not None
    assert (stream.response.content, stream.response.usage) == ("The sea answers.", TokenUsage(3, 2, 5))
    assert [message["role"] for message in second.requests[0].messages] == ["user"]
    assert outcomes(running) == [(0, "RequestError"), (1, "success")]


def test_anything_can_begin_again() -> None:
    """A restart asks nothing of an API and takes back tool calls as well."""
    script = [Delta(tool_calls=(ToolCallDelta(0, "c", "f", '{"a'),)), BREAK]
    running, _ = streaming(script, WHOLE, prefill=None)
    stream = running.stream(asking("restart"))
    list(stream)
    assert stream.response is not None
    assert (stream.response.content, stream.response.tool_calls) == ("The sea answers.", ())


# Both


def test_one_instance_alone_is_asked_again() -> None:
    """After a pause, as any retry where nobody else is left."""
    running, (only,) = streaming(FakeProvider(HALF, REST))
    stream = running.stream(asking("continue"))
    assert "".join(chunk.content for chunk in stream) == "The lamp turns."
    assert len(only.requests) == 2


@pytest.mark.parametrize("way", ["continue", "restart"])
def test_going_on_counts_as_an_attempt(way: OnInterrupt) -> None:
    """A stream that breaks off again and again ends with its retries; its error says both."""
    parts = [[Delta(content=text), BREAK] for text in ("The lamp", " turns", " on")]
    running, _ = streaming(FakeProvider(*parts), max_retries=2)
    with pytest.raises(StreamInterruptedError) as caught:
        list(running.stream(asking(way)))
    assert len(caught.value.attempts) == 3
    assert caught.value.cause is BREAK
    assert caught.value.partial == ("The lamp turns on" if way == "continue" else " on")
    assert len(running.recorder.requests) == 1
    assert running.recorder.requests[0].response.error is caught.value
    assert running.pool.in_flight() == 0


def test_an_error_says_why_it_could_not_go_on() -> None:
    """The cause is what broke the stream; why nobody went on is in the text."""
    running, _ = streaming(HALF, ServerError("out of order"), max_retries=1)
    with pytest.raises(StreamInterruptedError, match="could not go on: out of order") as caught:
        list(running.stream(asking("continue")))
    assert caught.value.cause is BREAK
    assert caught.value.partial == "The lamp"
    assert [attempt.outcome for attempt in caught.value.attempts] == ["RequestError", "ServerError"]


def test_a_stream_past_its_deadline_does_not_go_on() -> None:
    """The deadline is over all parts."""
    clock = ManualClock()

    def late() -> Delta:
        clock.advance(10.0)
        return Delta(content="!")

    running, (_, second) = streaming([Delta(content="The lamp"), late, *WHOLE], WHOLE, clock=clock)
    with pytest.raises(StreamInterruptedError) as caught:
        list(running.stream(asking("restart"), timeout=5.0))
    assert isinstance(caught.value.cause, DeadlineExceededError)
    assert not second.requests


def test_without_being_asked_a_stream_does_not_go_on() -> None:
    """Nothing is replayed silently."""
    running, (_, second) = streaming(HALF, WHOLE)
    with pytest.raises(StreamInterruptedError):
        list(running.stream())
    assert not second.requests


@pytest.mark.parametrize("way", ["continue", "restart"])
def test_closing_a_stream_that_is_about_to_go_on_ends_it(way: OnInterrupt) -> None:
    """Its reader is told; the part that was being opened is closed, and everything given back and reported once."""
    opening, closed = threading.Event(), threading.Event()

    def slow(_: object) -> Any:
        opening.set()
        assert closed.wait(20)
        return WHOLE

    running, (_, second) = streaming(HALF, FakeProvider(slow))
    stream = running.stream(asking(way))
    caught: list[BaseException] = []

    def read() -> None:
        try:
            list(stream)
        except StreamInterruptedError as error:
            caught.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    assert opening.wait(20)
    stream.close()
    closed.set()
    thread.join(20)
    assert not thread.is_alive()
    assert isinstance(caught[0], StreamInterruptedError)
    assert caught[0].partial == "The lamp"
    assert second.streams[0].closed
    assert len(running.recorder.requests) == 1
    assert running.pool.in_flight() == 0


def test_a_stream_waiting_for_a_place_to_go_on_can_be_closed() -> None:
    """It waits in the pool's queue, where closing the manager ends it."""
    running, _ = streaming(HALF)
    stream = running.stream(asking("restart"))
    assert next(stream).content == "The lamp"
    running.close()
    with pytest.raises(StreamInterruptedError) as caught:
        list(stream)
    assert caught.value.cause is BREAK
    assert "the manager is closed" in str(caught.value)
    assert len(running.recorder.requests) == 1


def test_an_interrupt_while_it_goes_on_leaves_nothing() -> None:
    """Ctrl-C in the opening of the next part comes out as it is."""
    running, _ = streaming(HALF, FakeProvider(KeyboardInterrupt()))
    stream = running.stream(asking("continue"))
    with pytest.raises(KeyboardInterrupt):
        list(stream)
    assert running.pool.in_flight() == 0
    assert len(running.recorder.requests) == 1
    assert [outcome for _, outcome in outcomes(running)] == ["RequestError", "abandoned"]
