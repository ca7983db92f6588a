"""A streamed call: the same loop until the first content, then an iterator that finishes or says what is missing."""

import threading
import weakref
from collections.abc import Iterable, Iterator
from itertools import chain
from types import TracebackType
from typing import Self

from flyllm._clock import Clock
from flyllm._execution.assembler import Assembler
from flyllm._execution.attempt import Trial
from flyllm._execution.call import answer, failure
from flyllm._execution.job import Job
from flyllm._execution.loop import AttemptLoop
from flyllm._execution.reaper import Reaper
from flyllm.errors import LLMError, ParseError, StreamInterruptedError
from flyllm.observability.events import Emitter, RequestEvent
from flyllm.providers.base import Delta, DeltaStream
from flyllm.types import LLMResponse, StreamChunk

MAX_SILENT_EVENTS = 200
"""Events without content before the first one with content, held back so that a failure can still fail over."""


class Streams:
    """Opens streams."""

    def __init__(self, loop: AttemptLoop, clock: Clock, emitter: Emitter, reaper: Reaper) -> None:
        self._loop, self._clock, self._emitter, self._reaper = loop, clock, emitter, reaper

    def open(self, job: Job) -> "ResponseStream":
        """Return a stream that has its first content; until there every failure fails over like a call's."""
        self._reaper.start()
        try:
            opened = self._loop.run(job, _open)
        except LLMError as error:
            self._emitter.request(RequestEvent(job.request, failure(job, error, self._clock), streamed=True))
            raise
        return ResponseStream(_Run(opened, self._clock, self._emitter), self._reaper)


class _Opened:
    """A stream with its first events read."""

    def __init__(self, trial: Trial, source: DeltaStream, held: list[Delta], *, ended: bool) -> None:
        self.trial, self.source, self.held, self.ended = trial, source, held, ended


def _open(trial: Trial) -> _Opened:
    source = trial.instance.adapter.stream(trial.request)
    held: list[Delta] = []
    try:
        for delta in source:
            held.append(delta)
            if delta.has_content:
                return _Opened(trial, source, held, ended=False)
            if len(held) > MAX_SILENT_EVENTS:
                raise ParseError(f"the stream brought {len(held)} events without content")
    except BaseException:
        source.close()
        raise
    if not any(delta.finish_reason for delta in held):
        raise ParseError("the stream ended without content or a finish reason")
    return _Opened(trial, source, held, ended=True)


class _Run:
    """A stream being read. Known to its `ResponseStream`, which it does not know, so that dropping that ends it."""

    def __init__(self, opened: _Opened, clock: Clock, emitter: Emitter) -> None:
        self._opened, self._clock, self._emitter = opened, clock, emitter
        self.assembler = Assembler()
        self.response: LLMResponse | None = None

    def chunks(self) -> Iterator[StreamChunk]:
        """Yield the answer's chunks, the last one with the finish reason, or raise what interrupted it."""
        opened = self._opened
        rest: Iterable[Delta] = () if opened.ended else opened.source
        try:
            for delta in chain(opened.held, rest):
                yield from self.assembler.take(delta)
        except LLMError as error:
            interrupted = self._interrupted(error)
        else:
            yield self._finish()
            return
        raise interrupted

    def abandon(self) -> None:
        """End the call early: close the connection and book what was received."""
        self._opened.source.close()
        self._opened.trial.abandon(self.assembler.usage_so_far(), self.assembler.content)

    def _finish(self) -> StreamChunk:
        trial, source = self._opened.trial, self._opened.source
        completion = self.assembler.completion(source.headers, source.request_id)
        trial.succeed(completion.usage, completion.request_id, completion.content)
        source.close()
        self.response = answer(trial.job, trial, completion, self._clock)
        self._emitter.request(RequestEvent(trial.job.request, self.response, streamed=True))
        return StreamChunk(
            tool_calls=completion.tool_calls, finish_reason=completion.finish_reason, usage=completion.usage
        )

    def _interrupted(self, error: LLMError) -> StreamInterruptedError:
        trial, source = self._opened.trial, self._opened.source
        source.close()
        usage, text = self.assembler.usage_so_far(), self.assembler.content
        trial.fail(error, usage, text)
        interrupted = StreamInterruptedError(
            f"the stream broke off after {len(text)} characters: {error}",
            partial=text,
            usage=usage,
            cause=error,
            status_code=error.status_code,
            request_id=error.request_id or source.request_id,
            attempts=tuple(trial.job.ledger),
        )
        interrupted.located(provider=error.provider, model=error.model, instance=error.instance)
        response = failure(trial.job, interrupted, self._clock)
        self._emitter.request(RequestEvent(trial.job.request, response, streamed=True))
        return interrupted


class ResponseStream:
    """An answer as it comes: iterate for `StreamChunk`s, or use `text` and `response` afterwards.

    A context manager; leaving it, `close()` and garbage collection end the call early and free its connection.
    Iteration raises `StreamInterruptedError` (with `.partial`) when the answer breaks off. One thread at a time.
    """

    def __init__(self, run: _Run, reaper: Reaper) -> None:
        self._run = run
        self._chunks = run.chunks()
        self._busy = threading.Lock()  # held while a thread iterates
        # Not closed in the finaliser itself: it may run inside the pool's or the HTTP library's locks.
        self._finalizer = weakref.finalize(self, reaper.soon, run.abandon)

    @property
    def text(self) -> str:
        """The text received so far."""
        return self._run.assembler.content

    @property
    def response(self) -> LLMResponse | None:
        """The whole response once the stream has finished; None before, and after an early close."""
        return self._run.response

    def __iter__(self) -> Iterator[StreamChunk]:
        return self

    def __next__(self) -> StreamChunk:
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("two threads iterate one stream; each chunk goes to one consumer only")
        try:
            return next(self._chunks)
        finally:
            self._busy.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the call now, if it has not ended; tokens seen so far are booked as estimated."""
        self._finalizer.detach()
        self._run.abandon()
