"""A streamed call: the same loop until the first content, then an iterator that finishes or says what is missing."""

import logging
import os
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from flyllm._clock import Clock
from flyllm._execution.assembler import Assembler
from flyllm._execution.attempt import Trial, unforeseen
from flyllm._execution.call import answer, failure, refuse_filtered
from flyllm._execution.job import Job
from flyllm._execution.loop import AttemptLoop
from flyllm._execution.reaper import Reaper
from flyllm._resilience.deadline import Deadline
from flyllm._scope import Scope
from flyllm.errors import (
    DeadlineExceededError,
    LLMError,
    ParseError,
    ProviderError,
    RequestError,
    StreamInterruptedError,
)
from flyllm.observability.events import Emitter, RequestEvent
from flyllm.providers.base import Delta, DeltaStream
from flyllm.types import LLMResponse, StreamChunk

logger = logging.getLogger("flyllm.streams")

MAX_SILENT_EVENTS = 200
"""Events without content before the first one with content, held back so that a failure can still fail over."""


class Streams:
    """Opens streams. Those still open when `scope` is called off are ended."""

    def __init__(self, loop: AttemptLoop, clock: Clock, emitter: Emitter, reaper: Reaper, scope: Scope) -> None:
        self._loop, self._clock, self._emitter, self._reaper, self._scope = loop, clock, emitter, reaper, scope

    def open(self, job: Job) -> "ResponseStream":
        """Return a stream that has its first content; until there every failure fails over like a call's."""
        self._reaper.start()
        try:
            opened = self._loop.run(job, _open)
        except LLMError as error:
            self._emitter.request(RequestEvent(job.request, failure(job, error, self._clock), streamed=True))
            raise
        run = _Run(opened, self._clock, self._emitter, self._scope)
        run.join()
        return ResponseStream(run, self._reaper)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A stream with its first events read; `ended` if these are all."""

    trial: Trial
    source: DeltaStream
    held: list[Delta]
    ended: bool

    def drop(self) -> None:
        """Close it unread."""
        _close(self.source)
        self.trial.outrun()


def _open(trial: Trial) -> _Opened:
    source = trial.instance.adapter.stream(trial.request)
    held: list[Delta] = []
    try:
        # The attempt's timeout ends with the headers: an answer may be long, and it can be seen to grow.
        source.limit(trial.job.deadline.remaining())
        for delta in _timely(source, trial.job.deadline):
            held.append(delta)
            if delta.has_content:
                return _Opened(trial, source, held, ended=False)
            if len(held) > MAX_SILENT_EVENTS:
                raise ParseError(f"the stream brought {len(held)} events without content")
        if not any(delta.finish_reason for delta in held):
            raise ParseError("the stream ended without content or a finish reason")
        for delta in held:
            refuse_filtered(trial, delta.finish_reason)
    except BaseException:
        _close(source)
        raise
    return _Opened(trial, source, held, ended=True)


def _timely(source: Iterator[Delta], deadline: Deadline) -> Iterator[Delta]:
    """Yield from `source` until the deadline, at which reading ends as well."""
    try:
        for delta in source:
            if deadline.passed:
                raise _late()
            yield delta
    except RequestError:
        if not deadline.passed:
            raise
    else:
        return
    raise _late()


def _late() -> DeadlineExceededError:
    return DeadlineExceededError("the request's deadline passed while its answer was streamed")


def _close(source: DeltaStream) -> None:
    try:
        source.close()
    except Exception as exc:  # nothing that follows may be lost over it
        logger.warning("a stream's connection could not be closed: %s", type(exc).__name__)


class _Run:
    """A stream being read. Known to its `ResponseStream`, which it does not know, so that dropping that ends it."""

    def __init__(self, opened: _Opened, clock: Clock, emitter: Emitter, scope: Scope) -> None:
        self._trial, self._source = opened.trial, opened.source
        self._clock, self._emitter, self._scope = clock, emitter, scope
        self.assembler = Assembler()
        self._first = [chunk for delta in opened.held if (chunk := self.assembler.take(delta))]
        self._rest: Iterator[Delta] = iter(()) if opened.ended else _timely(opened.source, opened.trial.job.deadline)
        self.response: LLMResponse | None = None
        self._pid = os.getpid()

    @property
    def inherited(self) -> bool:
        """Whether it was opened before this process was forked: it is the parent's, and so are its locks."""
        return os.getpid() != self._pid

    def join(self) -> None:
        """Let the manager end this stream when it closes; raise if it has."""
        try:
            self._scope.join(self)
        except BaseException:
            self.abandon()
            raise

    def cut(self, error: BaseException) -> None:
        """End the call early; a thread that reads meanwhile gets `error` from the connection, which is cut first."""
        self.abandon()

    def chunks(self) -> Iterator[StreamChunk]:
        """Yield the answer's chunks, the last one with the finish reason, or raise what interrupted it."""
        try:
            yield from self._first
            for delta in self._rest:
                chunk = self.assembler.take(delta)
                if chunk is not None:
                    yield chunk
        except LLMError as exc:
            error = exc
        except Exception as exc:
            error = unforeseen(exc, ProviderError)
        except (KeyboardInterrupt, SystemExit):
            self.abandon()
            raise
        else:
            yield self._finish()
            return
        raise self._interrupted(error) from error

    def abandon(self) -> None:
        """End the call early: close the connection and book what was received."""
        if self.inherited or self._trial.ended:
            return
        _close(self._source)
        usage, text = self.assembler.usage_so_far(), self.assembler.content
        if self._trial.abandon(usage, text):
            job, instance = self._trial.job, self._trial.instance
            response = LLMResponse(
                content=text,
                usage=usage,
                model=instance.model,
                provider=instance.provider,
                instance_id=instance.id,
                instance_name=instance.name,
                task=job.request.task,
                attempts=job.attempts,
                duration=self._clock.monotonic() - job.started,
                request_id=self._source.request_id,
                dropped_params=self._trial.dropped,
            )
            self._report(response)

    def _finish(self) -> StreamChunk:
        trial, source = self._trial, self._source
        completion = self.assembler.completion(source.headers, source.request_id)
        if not trial.succeed(completion.usage, completion.request_id, completion.content, completion.headers):
            raise self._interrupted(ProviderError("the stream was closed while it was read"))
        _close(source)
        self.response = answer(trial.job, trial, completion, self._clock)
        self._report(self.response)
        return StreamChunk(
            tool_calls=completion.tool_calls, finish_reason=completion.finish_reason, usage=completion.usage
        )

    def _interrupted(self, error: LLMError) -> StreamInterruptedError:
        trial, source = self._trial, self._source
        _close(source)
        usage, text = self.assembler.usage_so_far(), self.assembler.content
        was_open = trial.fail(error, usage, text)
        interrupted = StreamInterruptedError(
            f"the stream broke off after {len(text)} characters: {error}",
            partial=text,
            usage=usage,
            cause=error,
            status_code=error.status_code,
            request_id=error.request_id or source.request_id,
            attempts=trial.job.attempts,
        )
        interrupted.located(provider=error.provider, model=error.model, instance=error.instance)
        if was_open:
            self._report(failure(trial.job, interrupted, self._clock))
        return interrupted

    def _report(self, response: LLMResponse) -> None:
        self._scope.leave(self)
        self._emitter.request(RequestEvent(self._trial.job.request, response, streamed=True))


class ResponseStream:
    """An answer as it comes: iterate for `StreamChunk`s, or use `text` and `response` afterwards.

    A context manager; leaving it, `close()` and garbage collection end the call early and free its connection.
    Iteration raises `StreamInterruptedError` (with `.partial`) when the answer breaks off, also at the request's
    deadline. One thread at a time iterates; any may close.
    """

    def __init__(self, run: _Run, reaper: Reaper) -> None:
        self._run = run
        self._chunks = run.chunks()
        self._closed = False
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
            if self._closed:
                raise StopIteration
            if self._run.inherited:
                raise StreamInterruptedError("this stream is the parent process's: open one here", partial=self.text)
            return next(self._chunks)
        finally:
            self._busy.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the call now, if it has not ended; tokens seen so far are booked as estimated."""
        self._closed = True
        self._run.abandon()
        self._finalizer.detach()
