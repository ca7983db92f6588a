"""Hedging: a second attempt beside one that takes unusually long; whichever answers first is the answer.

For requests that ask for it, where a slow answer costs more than some tokens ("The Tail at Scale", Dean and Barroso,
2013). The pool says after how long, and whether there is a place and a budget for it. The other attempt is cut as soon
as there is an answer; it counts as slow, never as failed.
"""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from flyllm._clock import Clock
from flyllm._execution.attempt import Attempts, Trial
from flyllm._routing.pool import Pool
from flyllm._scope import CalledOff, Scope, entered, scopes
from flyllm.errors import LLMError

CUT = 1.0
"""Seconds to wait for the end of an attempt that was cut: it takes milliseconds, except during a DNS lookup."""


class Outcome(Protocol):
    """What an attempt brought."""

    def drop(self) -> None:
        """Let go of it: another attempt was faster."""


T = TypeVar("T", bound=Outcome)


class Hedges:
    """Runs the attempts of requests that ask to be hedged."""

    def __init__(self, attempts: Attempts, pool: Pool, clock: Clock) -> None:
        self._attempts, self._pool, self._clock = attempts, pool, clock

    def run(self, first: Trial, send: Callable[[Trial], T]) -> T:
        """Return what the faster one of two attempts brought, or raise the error of the `first`."""
        delay = None if first.job.hedged else self._pool.hedge_delay(first.instance.id)
        if delay is None:
            return first.run(send)
        second = Second(first, lambda: self._begin(first), send)
        thread = threading.Thread(
            target=second.run, args=(self._clock, delay, scopes()), name="flyllm-hedge", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # there are no threads left: this one was a luxury
            return first.run(send)
        try:
            return _race(first, second, send)
        finally:
            second.end()
            thread.join(CUT)

    def _begin(self, first: Trial) -> Trial | None:
        """Begin the second attempt; None where there is no place or no budget for it."""
        lease = self._pool.hedge(first.job.route, first.instance.id)
        return None if lease is None else self._attempts.hedge(first.job, lease)


class Second(Generic[T]):
    """The second attempt, in a thread of its own. `won` is what it brought, once that is the answer.

    The `first` one's thread is in the scope `rival` meanwhile.
    """

    def __init__(self, first: Trial, begin: Callable[[], Trial | None], send: Callable[[Trial], T]) -> None:
        self._first, self._begin, self._send = first, begin, send
        self.rival, self._scope = Scope(), Scope()
        self._lock = threading.Lock()  # guards what follows but the events; nothing is called under it
        self.won: T | None = None
        self._begun = self._over = False
        self._trial: Trial | None = None
        self._stop, self._done = threading.Event(), threading.Event()

    def run(self, clock: Clock, delay: float, around: tuple[Scope, ...]) -> None:
        """Make the attempt after `delay` seconds, unless it is over by then."""
        try:
            with entered((*around, self._scope)):
                if not clock.wait(self._stop, delay) and self._claim():
                    self._trial = self._begin()
                    if self._trial is not None:
                        self._finish(self._trial.run(self._send))
        except (LLMError, CalledOff):
            pass  # it has been written down; the first one goes on
        finally:
            self._done.set()

    def beaten(self) -> bool:
        """Decide for the first attempt, which has its answer, unless this one was decided for before."""
        with self._lock:
            self._over = self.won is None
            return self._over

    def wait(self, clock: Clock) -> None:
        """Wait for its end where it has begun, and keep it from beginning where it has not."""
        with self._lock:
            self._over = not self._begun
        if not self._over:
            clock.wait(self._done, float("inf"))

    def end(self) -> None:
        """End it where it is still under way."""
        with self._lock:
            if self.won is not None:  # an answer that streams is still to be read
                return
            self._over = True
        self._stop.set()
        if self._trial is not None:
            self._trial.outrun()
        self._scope.call_off()

    def _claim(self) -> bool:
        with self._lock:
            self._begun = not self._over
            return self._begun

    def _finish(self, result: T) -> None:
        with self._lock:
            late = self._over
            if not late:
                self.won = result
        if late:
            result.drop()
        else:
            self._first.outrun()
            self.rival.call_off()


def _race(first: Trial, second: Second[T], send: Callable[[Trial], T]) -> T:
    """Make the first attempt, in this thread; return the second one's answer where that comes earlier."""
    try:
        with second.rival:
            result = first.run(send)
    except CalledOff:
        if second.won is None:  # the whole request was called off
            raise
        return second.won
    except LLMError:
        second.wait(first.clock)
        if second.won is None:
            raise
        return second.won
    if second.beaten() or second.won is None:
        return result
    result.drop()
    return second.won
