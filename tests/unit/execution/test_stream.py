"""Rules of streams: unseen failover before the first content, the truth after it, and nothing left behind."""

import gc
import logging
import threading
from typing import Any

import pytest

from flyllm._execution.opening import MAX_SILENT_EVENTS
from flyllm.errors import (
    DeadlineExceededError,
    LLMError,
    ManagerClosedError,
    ParseError,
    ProviderError,
    RateLimitError,
    RequestError,
    ServerError,
    StreamInterruptedError,
)
from flyllm.providers.base import Delta, ToolCallDelta
from flyllm.request import GenerationRequest
from flyllm.types import StreamChunk, TokenUsage, ToolCall
from tests.unit.fakes import Core, FakeProvider, FakeStream, ManualClock, core, instance

HELLO = [Delta(model="m0-x"), Delta(content="Hel"), Delta(content="lo")]
END = Delta(finish_reason="stop", usage=TokenUsage(3, 2, 5))


def streaming(*scripts: Any, **fields: Any) -> tuple[Core, list[FakeProvider]]:
    """A core with one instance per script; a script is the deltas of its first stream, or an error."""
    adapters = [FakeProvider(script) for script in scripts]
    return core(*(instance(n, adapter) for n, adapter in enumerate(adapters)), **fields), adapters


# To the end


def test_a_stream_hands_out_its_chunks_and_then_the_finish() -> None:
    """Text as it comes; the last chunk has finish reason and usage; then `response` is the whole answer."""
    running, (adapter,) = streaming([*HELLO, END])
    stream = running.stream(GenerationRequest("x"))
    assert stream.response is None
    assert list(stream) == [
        StreamChunk("Hel"),
        StreamChunk("lo"),
        StreamChunk(finish_reason="stop", usage=TokenUsage(3, 2, 5)),
    ]
    response = stream.response
    assert response is not None
    assert (response.content, stream.text, response.model) == ("Hello", "Hello", "m0-x")
    assert (response.finish_reason, response.usage, response.request_id) == ("stop", TokenUsage(3, 2, 5), "stream-1")
    assert [attempt.outcome for attempt in response.attempts] == ["success"]
    assert adapter.streams[0].closed
    assert running.pool.in_flight() == 0


def test_a_finished_stream_is_reported_once() -> None:
    """One attempt event and one request event, marked as streamed, and the tokens booked."""
    running, _ = streaming([*HELLO, END])
    stream = running.stream()
    assert len(list(stream)) == 3
    stream.close()
    assert [event.attempt.outcome for event in running.recorder.attempts] == ["success"]
    assert running.recorder.attempts[0].content == "Hello"
    assert [(event.response, event.streamed) for event in running.recorder.requests] == [(stream.response, True)]
    assert running.usage.total().total_tokens == 5


def test_a_finished_stream_stays_finished() -> None:
    """Reading on after the end brings nothing, closing changes nothing."""
    running, _ = streaming([*HELLO, END])
    with running.stream() as stream:
        list(stream)
        assert list(stream) == []
    response = stream.response
    assert response is not None
    stream.close()
    assert stream.response is response


def test_an_answer_without_text_is_an_answer() -> None:
    """A stream may consist of nothing but its finish, if that has a reason."""
    running, (adapter,) = streaming([Delta(), Delta(finish_reason="length")])
    stream = running.stream()
    assert list(stream) == [StreamChunk(finish_reason="length", usage=TokenUsage())]
    assert stream.response is not None
    assert stream.response.content == ""
    assert adapter.streams[0].closed


def test_tool_calls_come_in_fragments_and_whole_at_the_end() -> None:
    """Fragments are handed over as they come; the last chunk and the response have the calls."""
    script = [
        Delta(tool_calls=(ToolCallDelta(0, "c1", "f", '{"a'),)),
        Delta(tool_calls=(ToolCallDelta(0, arguments='":1}'),)),
        Delta(finish_reason="tool_calls"),
    ]
    stream = streaming(script)[0].stream()
    *fragments, last = stream
    assert [delta.arguments for chunk in fragments for delta in chunk.tool_call_deltas] == ['{"a', '":1}']
    assert last.tool_calls == (ToolCall("c1", "f", '{"a":1}'),)
    assert last.finish_reason == "tool_calls"
    assert stream.response is not None
    assert stream.response.tool_calls == last.tool_calls


def test_reasoning_is_streamed_apart_from_text() -> None:
    """Reasoning is content of its own kind: it commits the stream and comes in its own field."""
    stream = streaming([Delta(reasoning="hm"), Delta(content="yes"), END])[0].stream()
    assert [(chunk.reasoning, chunk.content) for chunk in stream] == [("hm", ""), ("", "yes"), ("", "")]
    assert stream.response is not None
    assert (stream.response.reasoning, stream.response.content) == ("hm", "yes")


# Before the first content


@pytest.mark.parametrize("error", [ServerError("x"), RateLimitError("x"), ParseError("x"), RequestError("x")])
def test_a_failure_at_the_opening_fails_over_unseen(error: LLMError) -> None:
    """The consumer gets the other instance's answer, whole; the ledger has both attempts."""
    running, _ = streaming(error, [*HELLO, END])
    with running.stream() as stream:
        assert "".join(chunk.content for chunk in stream) == "Hello"
    assert stream.response is not None
    assert [attempt.outcome for attempt in stream.response.attempts] == [type(error).__name__, "success"]


def test_a_failure_among_silent_events_fails_over_unseen() -> None:
    """Roles, usage and other lifecycle events are held back: none of the failed stream reaches the consumer."""
    running, (first, _) = streaming(
        [Delta(model="broken"), Delta(usage=TokenUsage(9, 9, 18)), ServerError("x")], [*HELLO, END]
    )
    with running.stream() as stream:
        assert "".join(chunk.content for chunk in stream) == "Hello"
    assert stream.response is not None
    assert stream.response.model == "m0-x"
    assert stream.response.usage == TokenUsage(3, 2, 5)
    assert first.streams[0].closed


def test_too_many_silent_events_are_a_failure() -> None:
    """A stream that never says anything is given up, and another instance asked."""
    running, (first, _) = streaming([Delta()] * 10_000, [*HELLO, END])
    with running.stream() as stream:
        assert "".join(chunk.content for chunk in stream) == "Hello"
    assert first.streams[0].read == MAX_SILENT_EVENTS + 1
    assert first.streams[0].closed


def test_two_hundred_silent_events_are_not_too_many() -> None:
    """Up to the limit a stream may keep silent."""
    running, _ = streaming([*[Delta()] * MAX_SILENT_EVENTS, Delta(content="x"), END])
    assert [chunk.content for chunk in running.stream()] == ["x", ""]


def test_an_end_without_content_or_reason_is_a_failure() -> None:
    """An empty stream is no answer; with no other instance the error is raised and reported."""
    running, (adapter,) = streaming([Delta(model="m")], max_retries=0)
    with pytest.raises(ParseError, match="without content or a finish reason") as caught:
        running.stream()
    assert len(caught.value.attempts) == 1
    assert adapter.streams[0].closed
    assert running.pool.in_flight() == 0
    (event,) = running.recorder.requests
    assert (event.streamed, event.response.error) == (True, caught.value)


def test_a_bug_of_the_adapter_before_content_fails_over() -> None:
    """An exception that is none of ours leads to another provider, and the source is closed."""
    first, second = FakeProvider([Delta(), KeyError("delta")]), FakeProvider([*HELLO, END])
    running = core(instance(0, first), instance(1, second, provider="groq"))
    with running.stream() as stream:
        assert "".join(chunk.content for chunk in stream) == "Hello"
    assert first.streams[0].closed


def test_an_interrupt_at_the_opening_leaves_nothing() -> None:
    """Ctrl-C while the stream opens closes the connection and gives the place back."""
    running, (adapter,) = streaming([Delta(), KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        running.stream()
    assert adapter.streams[0].closed
    assert running.pool.in_flight() == 0


def test_the_deadline_holds_while_a_stream_keeps_silent() -> None:
    """Silent events do not keep a request alive beyond its time."""
    clock = ManualClock()

    def tick() -> Delta:
        clock.advance(1.0)
        return Delta()

    running, (adapter,) = streaming([tick] * 100, clock=clock)
    with pytest.raises(DeadlineExceededError):
        running.stream(timeout=5.0)
    assert clock.now == 1005.0
    assert adapter.streams[0].closed
    assert running.pool.in_flight() == 0


def test_an_attempt_has_so_long_until_its_first_content() -> None:
    """The limit of streams or the attempt's own, whichever is shorter; a request may have its own."""
    running, (first, second) = streaming(HELLO, HELLO)
    running.stream(GenerationRequest("x"))
    running.disable(0)
    running.stream(GenerationRequest("x", first_content_timeout=7.0))
    assert first.requests[0].timeout == 120.0
    assert second.requests[0].timeout == 7.0


# After the first content


def test_every_event_is_waited_for_at_most_so_long() -> None:
    """Counted from when it is asked for, so that a consumer may take its time; the deadline may come first."""
    clock = ManualClock()
    running, (adapter,) = streaming([*HELLO, END], clock=clock)
    stream = running.stream(GenerationRequest("x", idle_timeout=30.0), timeout=100.0)
    next(stream)
    clock.advance(50.0)
    next(stream)
    clock.advance(30.0)
    next(stream)
    assert adapter.streams[0].limits == [30.0, 20.0]


def test_a_stream_that_brings_nothing_for_so_long_is_broken() -> None:
    """The error says so; it is not the deadline's."""
    clock = ManualClock()

    def silence() -> RequestError:
        clock.advance(60.0)
        return RequestError("no answer within the attempt's 60 s")

    running, _ = streaming([Delta(content="Hel"), silence], clock=clock)
    with pytest.raises(StreamInterruptedError, match="brought nothing for 60 s") as caught:
        list(running.stream())
    assert isinstance(caught.value.cause, RequestError)


@pytest.mark.parametrize(
    ("error", "status"), [(RequestError("the connection broke"), None), (ServerError("HTTP 500", status_code=500), 500)]
)
def test_a_break_after_content_is_said_and_not_replayed(error: LLMError, status: int | None) -> None:
    """The error has what was received, what it cost, why it broke and the ledger; no other instance is asked."""
    running, (first, second) = streaming([*HELLO, error], [*HELLO, END])
    got = []
    with pytest.raises(StreamInterruptedError) as caught, running.stream() as stream:
        got += [chunk.content for chunk in stream]
    interrupted = caught.value
    assert interrupted.partial == stream.text == "Hello"
    assert interrupted.cause is interrupted.__cause__ is error
    assert (interrupted.usage.completion_tokens, interrupted.status_code) == (2, status)  # type: ignore[union-attr]
    assert (interrupted.provider, interrupted.model, interrupted.instance) == ("openai", "m0", "i0")
    assert interrupted.request_id == "stream-1"
    assert [attempt.outcome for attempt in interrupted.attempts] == [type(error).__name__]
    assert str(interrupted) == f"the stream broke off after 5 characters: {error}"
    assert second.requests == []
    assert stream.response is None
    assert first.streams[0].closed
    assert running.pool.in_flight() == 0


def test_a_broken_stream_is_reported_once_with_what_it_cost() -> None:
    """Observers get the attempt with the text received, and the request with the interruption."""
    running, _ = streaming([*HELLO, RequestError("cut")])
    with pytest.raises(StreamInterruptedError) as caught, running.stream() as stream:
        list(stream)
    (attempt,), (request,) = running.recorder.attempts, running.recorder.requests
    assert (attempt.content, attempt.attempt.usage.completion_tokens) == ("Hello", 2)
    assert request.response.error is caught.value
    assert request.streamed
    assert running.usage.total().completion_tokens == 2


def test_a_broken_stream_stays_broken() -> None:
    """After the error there are no further chunks, and no response appears."""
    running, _ = streaming([*HELLO, RequestError("cut"), END])
    stream = running.stream()
    with pytest.raises(StreamInterruptedError):
        list(stream)
    assert list(stream) == []
    assert stream.response is None


def test_a_bug_of_the_adapter_after_content_is_an_interruption() -> None:
    """Any exception of the source comes as StreamInterruptedError with the partial text."""
    running, _ = streaming([*HELLO, KeyError("choices")])
    with pytest.raises(StreamInterruptedError) as caught, running.stream() as stream:
        list(stream)
    assert type(caught.value.cause) is ProviderError
    assert "unexpected KeyError" in str(caught.value.cause)
    assert caught.value.partial == "Hello"
    assert running.pool.in_flight() == 0


def test_only_a_normal_end_is_complete() -> None:
    """A finish reason seen before the break does not make a broken stream a whole one."""
    running, _ = streaming([*HELLO, END, RequestError("cut before [DONE]")])
    stream = running.stream()
    with pytest.raises(StreamInterruptedError):
        list(stream)
    assert stream.response is None


def test_the_deadline_ends_a_trickle() -> None:
    """Nothing is asked for after the deadline: the stream breaks off with what came until then."""
    clock = ManualClock()

    def tick() -> Delta:
        clock.advance(2.0)
        return Delta(content="x")

    running, (adapter,) = streaming([tick] * 100, clock=clock)
    with pytest.raises(StreamInterruptedError) as caught, running.stream(timeout=5.0) as stream:
        list(stream)
    assert isinstance(caught.value.cause, DeadlineExceededError)
    assert caught.value.partial == "xxx"
    assert clock.now == 1006.0
    assert adapter.streams[0].closed


def test_an_interrupt_while_reading_leaves_nothing() -> None:
    """Ctrl-C inside a read comes out as it is; connection and place are given back at once."""
    running, (adapter,) = streaming([*HELLO, KeyboardInterrupt()])
    stream = running.stream()
    with pytest.raises(KeyboardInterrupt):
        list(stream)
    assert adapter.streams[0].closed
    assert running.pool.in_flight() == 0
    assert stream.response is None


# Closed early


def test_leaving_a_stream_early_gives_everything_back() -> None:
    """`break` in a `with`: source closed, place free, tokens estimated, no response."""
    running, (adapter,) = streaming([*HELLO, END])
    with running.stream() as stream:
        for _ in stream:
            break
    assert stream.response is None
    assert adapter.streams[0].closed
    assert running.pool.in_flight() == 0
    (event,) = running.recorder.attempts
    assert (event.attempt.outcome, event.error, event.content) == ("abandoned", None, "Hel")
    assert event.attempt.usage == TokenUsage(None, 1, 1, estimated=frozenset({"completion_tokens", "total_tokens"}))


def test_an_early_end_is_reported_as_a_request_that_did_not_finish() -> None:
    """One request event comes also for a stream left early: no error, and no finish reason."""
    running, _ = streaming([*HELLO, END])
    running.stream().close()
    (event,) = running.recorder.requests
    assert event.streamed
    assert (event.response.content, event.response.finish_reason, event.response.error) == ("Hel", None, None)
    assert (event.response.instance_name, len(event.response.attempts)) == ("i0", 1)


def test_an_abandoned_stream_says_nothing_about_its_instance() -> None:
    """That a consumer lost interest is neither a success nor a failure."""
    running, _ = streaming([*HELLO, END])
    running.stream().close()
    (snapshot,) = running.pool.snapshots()
    assert (snapshot.requests, snapshot.failures, snapshot.latency) == (0, 0, None)


def test_a_closed_stream_ends_and_does_not_pretend_to_be_whole() -> None:
    """Iterating after `close()` stops at once; what was not read is not read, and `response` stays None."""
    running, (adapter,) = streaming([*HELLO, END])
    stream = running.stream()
    assert next(stream).content == "Hel"
    stream.close()
    assert list(stream) == []
    assert adapter.streams[0].read == 2
    assert stream.response is None
    assert stream.text == "Hel"


def test_closing_twice_is_closing_once() -> None:
    """`close()` may be called again, also inside the `with`."""
    running, (adapter,) = streaming([*HELLO, END])
    with running.stream() as stream:
        stream.close()
        stream.close()
    assert adapter.streams[0].closed == 1
    assert len(running.recorder.attempts) == len(running.recorder.requests) == 1


def test_an_exception_of_the_consumer_closes_the_stream() -> None:
    """An error in the loop's body goes through and leaves no connection."""
    running, (adapter,) = streaming([*HELLO, END])

    def consume(chunk: StreamChunk) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), running.stream() as stream:
        consume(next(stream))
    assert adapter.streams[0].closed
    assert running.pool.in_flight() == 0


@pytest.mark.parametrize("how", ["finish", "break", "close"])
def test_a_connection_that_cannot_be_closed_costs_a_warning_only(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """An SDK that fails in `close()` takes neither the answer nor the place."""

    class Stuck(FakeStream):
        def close(self) -> None:
            super().close()
            raise OSError("already gone")

    script = [*HELLO, RequestError("cut")] if how == "break" else [*HELLO, END]
    running, _ = streaming(Stuck(script))
    with caplog.at_level(logging.WARNING, "flyllm.streams"):
        stream = running.stream()
        if how == "finish":
            assert len(list(stream)) == 3
            assert stream.response is not None
        elif how == "break":
            with pytest.raises(StreamInterruptedError):
                list(stream)
        else:
            stream.close()
    assert running.pool.in_flight() == 0
    assert [record.getMessage() for record in caplog.records] == ["a stream's connection could not be closed: OSError"]


def test_two_threads_cannot_read_one_stream() -> None:
    """A second reader gets a clear error instead of half of the chunks; the first goes on."""
    reading, go_on = threading.Event(), threading.Event()

    def slow() -> Delta:
        reading.set()
        assert go_on.wait(20)
        return Delta(content="lo")

    running, _ = streaming([Delta(content="Hel"), slow, END])
    stream = running.stream()
    assert next(stream).content == "Hel"
    rest: list[StreamChunk] = []
    thread = threading.Thread(target=lambda: rest.extend(stream))
    thread.start()
    assert reading.wait(20)
    with pytest.raises(RuntimeError, match="two threads iterate one stream"):
        next(stream)
    go_on.set()
    thread.join(20)
    assert [chunk.content for chunk in rest] == ["lo", ""]


@pytest.mark.parametrize("quietly", [True, False])
def test_closing_from_another_thread_ends_the_reader(quietly: bool) -> None:
    """A reader whose stream is closed under it is told so, whatever its source does then; one record stands."""
    reading, closed = threading.Event(), threading.Event()

    class Source(FakeStream):
        def close(self) -> None:
            super().close()
            closed.set()

    def cut() -> Any:
        reading.set()
        assert closed.wait(20)
        if quietly:
            raise StopIteration
        return RequestError("the connection broke")

    running, _ = streaming(Source([Delta(content="Hel"), cut]))
    stream = running.stream()
    caught: list[BaseException] = []

    def read() -> None:
        try:
            list(stream)
        except StreamInterruptedError as error:
            caught.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    assert reading.wait(20)
    stream.close()
    thread.join(20)
    assert not thread.is_alive()
    assert isinstance(caught[0], StreamInterruptedError)
    assert stream.response is None
    assert [event.attempt.outcome for event in running.recorder.attempts] == ["abandoned"]
    assert len(running.recorder.requests) == 1
    assert running.pool.in_flight() == 0


# Dropped


def test_a_dropped_stream_is_released_by_the_reaper() -> None:
    """A stream that nobody holds any more is closed within a second, by another thread than the dropper's."""
    done, threads = threading.Event(), []

    class Source(FakeStream):
        def close(self) -> None:
            threads.append(threading.current_thread())
            super().close()
            done.set()

    running, _ = streaming(Source([*HELLO, END]))
    stream = running.stream()
    assert next(stream).content == "Hel"
    del stream
    gc.collect()
    assert done.wait(20)
    running.reaper.stop()
    assert threads[0] is not threading.current_thread()
    for _ in range(1000):
        if running.recorder.requests:
            break
        threading.Event().wait(0.005)
    assert running.pool.in_flight() == 0
    assert [event.attempt.outcome for event in running.recorder.attempts] == ["abandoned"]


def test_a_dropped_stream_deadlocks_nobody() -> None:
    """The collector may drop a stream inside the pool's own lock: nothing is done there but a note."""
    running, (adapter,) = streaming([*HELLO, END])
    streams = [running.stream()]
    with running.pool._lock:
        streams.clear()
        gc.collect()
    for _ in range(1000):
        if adapter.streams[0].closed:
            break
        threading.Event().wait(0.005)
    assert adapter.streams[0].closed
    running.reaper.stop()


def test_a_dropped_finished_stream_is_no_second_end() -> None:
    """The reaper finds a finished stream and leaves it alone."""
    running, (adapter,) = streaming([*HELLO, END])
    list(running.stream())
    gc.collect()
    flushed = threading.Event()
    running.reaper.soon(flushed.set)
    assert flushed.wait(20)
    running.reaper.stop()
    assert adapter.streams[0].closed == 1
    assert len(running.recorder.attempts) == len(running.recorder.requests) == 1


def test_a_closed_manager_opens_no_stream() -> None:
    """After `close()` a stream is refused."""
    running, (adapter,) = streaming([*HELLO, END])
    running.close()
    with pytest.raises(ManagerClosedError):
        running.stream()
    assert adapter.requests == []
