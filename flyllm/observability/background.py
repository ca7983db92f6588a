"""A thread between the requests and an observer that may be slow, as one that writes to a disk is.

A request appends to a bounded queue and goes on; its context, such as a trace's current span, goes along. The thread
is there while there is something to do: it begins with an event and ends after a quiet second, so nothing need stop it
and a forked child simply begins its own. The end of the process waits for it: see `at_exit.py`.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from copy import copy
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from flyllm._clock import SystemClock
from flyllm._fork import after_fork
from flyllm.observability import at_exit
from flyllm.observability.events import AttemptEvent, AttemptStart, Emitter, InstanceEvent, RequestEvent
from flyllm.request import GenerationRequest

logger = logging.getLogger("flyllm.observability")

CAPACITY = 10_000
"""Events that may wait."""

_QUIET = 1.0
"""Seconds without an event after which the thread ends."""

_LINGER = 0.01
"""Seconds of rest when all is done: what comes meanwhile wakes nobody, which would cost more than most events."""

_clock = SystemClock()
E = TypeVar("E")


class Background:
    """Hands events to `observer` in their order, in a thread of its own. What finds `capacity` waiting is dropped."""

    def __init__(self, observer: object, capacity: int = CAPACITY) -> None:
        self._observer, self._capacity = observer, capacity
        self._begin()
        after_fork(self, Background._let_go)

    @property
    def dropped(self) -> int:
        """How many events found the queue full."""
        return self._dropped

    def on_start(self, event: AttemptStart) -> None:
        """Queue the beginning of an attempt."""
        if self._emitter.starts:
            request = _as_it_is(event.request)
            self._put(self._emitter.start, event if request is event.request else event._replace(request=request))

    def on_attempt(self, event: AttemptEvent) -> None:
        """Queue an attempt."""
        if self._emitter.attempts:
            request = _as_it_is(event.request)
            self._put(self._emitter.attempt, event if request is event.request else replace(event, request=request))

    def on_request(self, event: RequestEvent) -> None:
        """Queue a request."""
        if self._emitter.requests:
            request = _as_it_is(event.request)
            self._put(self._emitter.request, event if request is event.request else replace(event, request=request))

    def on_instance(self, event: InstanceEvent) -> None:
        """Queue a change of an instance."""
        if self._emitter.instances:
            self._put(self._emitter.instance, event)

    def end(self) -> None:
        """Have the thread end as soon as all is handed over, and do not wait for it."""
        if self._busy.locked() or not self._queue.empty():
            self._closing.set()
            self._queue.put(None)
            self._start()

    def close(self, seconds: float) -> None:
        """Wait until what is queued has been handed over, at most `seconds`, and end the thread.

        An event that comes later begins it anew. The observer itself, which may close its manager, does not wait.
        """
        if self._worker == threading.get_ident():
            return
        until = _clock.monotonic() + seconds
        while not self._queue.empty() or self._busy.locked():
            self.end()
            left = min(max(until - _clock.monotonic(), 0.0), threading.TIMEOUT_MAX)
            if not self._busy.acquire(timeout=left):
                self._warn_of_the_rest(seconds)
                return
            self._rest()

    def _begin(self) -> None:
        self._emitter = Emitter([self._observer])
        self._queue: SimpleQueue[tuple[Context, Callable[[Any], None], Any] | None] = SimpleQueue()
        self._closing = threading.Event()  # set while somebody waits for the end
        self._busy = threading.Lock()  # held by the thread from its start to its end, so that there is one at most
        self._counting = threading.Lock()  # guards _dropped
        self._dropped = 0
        self._worker: int | None = None  # the thread that is at work

    def _let_go(self) -> None:
        """Leave to the parent what the parent has queued."""
        at_exit.let_go(self)
        self._begin()

    def _put(self, take: Callable[[E], None], event: E) -> None:
        # Threads that ask at the same time may all put: the bound is exceeded by their number at most.
        if self._queue.qsize() >= self._capacity:
            self._drop()
        else:
            self._queue.put((copy_context(), take, event))
            self._start()

    def _drop(self) -> None:
        with self._counting:
            self._dropped += 1
            first = self._dropped == 1
        if first:
            logger.warning(
                "observer %r is too slow: %d events wait for it and further ones are dropped until it catches up. "
                "Debug files: put debug_folder on a faster disk, or leave it out",
                type(self._observer).__name__,
                self._capacity,
            )

    def _warn_of_the_rest(self, seconds: float) -> None:
        logger.warning(
            "observer %r has not taken all events within %g s: up to %d are lost if the process ends now",
            type(self._observer).__name__,
            seconds,
            self._queue.qsize(),  # one of them is no event, and one more is in the observer's hands
        )

    def _start(self) -> None:
        if not self._busy.acquire(blocking=False):
            return
        try:
            at_exit.hold(self)
            threading.Thread(target=self._work, name="flyllm-observer", daemon=True).start()
        except (RuntimeError, MemoryError):  # no thread is to be had, or the interpreter is ending
            self._do_without()

    def _do_without(self) -> None:
        """Work here and now. What comes meanwhile is left to the next event or `close`."""
        try:
            self._hand_over(0.0)
        finally:
            at_exit.let_go(self)
            self._busy.release()

    def _work(self) -> None:
        try:
            self._hand_over(_QUIET)
        finally:
            at_exit.let_go(self)
            self._rest()

    def _hand_over(self, quiet: float) -> None:
        """Work until nothing has come for `quiet` seconds; None says not to wait."""
        self._worker = threading.get_ident()
        with suppress(Empty):
            while True:
                if (work := self._queue.get(timeout=quiet)) is None:
                    quiet = 0.0
                    self._closing.clear()
                    continue
                context, take, event = work
                context.run(take, event)
                if quiet and self._queue.empty():
                    self._closing.wait(_LINGER)
        self._worker = None

    def _rest(self) -> None:
        self._busy.release()
        if not self._queue.empty():  # it came after the last look, from a thread that took this one to be at work
            self._start()


def _as_it_is(request: GenerationRequest) -> GenerationRequest:
    """Return `request` with its caller's lists and dicts copied: a conversation goes on once it has its answer."""
    if request.messages is None and request.metadata is None:
        return request
    messages = request.messages and [copy(message) for message in request.messages]
    return replace(request, messages=messages, metadata=copy(request.metadata))
