"""The attempt loop: the only one in the package. Calls and streams run it; it fits on one screen.

It decides nothing itself: the verdict on a failure comes from `classification`, the next instance from the pool,
the pause from `backoff`, and tenacity does the repeating.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

from flyllm._clock import Clock
from flyllm._execution.attempt import Attempts, Trial
from flyllm._execution.job import Job
from flyllm._resilience.backoff import LONGEST_PAUSE, full_jitter, respectful
from flyllm._resilience.classification import Exclusion, classify, most_actionable
from flyllm._resilience.retry import run_attempts
from flyllm._routing.pool import Pool
from flyllm.errors import LLMError, ManagerClosedError

T = TypeVar("T")


class AttemptLoop:
    """Runs attempts of a job until one succeeds or none can help."""

    def __init__(self, attempts: Attempts, pool: Pool, clock: Clock, closed: threading.Event, max_retries: int) -> None:
        self._attempts = attempts
        self.pool, self.clock, self.closed, self.max_retries = pool, clock, closed, max_retries

    def run(self, job: Job, send: Callable[[Trial], T]) -> T:
        """Return what `send` made of the first attempt that worked; raise the most telling `LLMError` otherwise."""
        steps = _Steps(self, job)

        def attempt() -> T:
            steps.trial = None
            steps.trial = self._attempts.begin(job)
            return steps.trial.run(send)

        try:
            return run_attempts(attempt, steps)
        except LLMError as error:
            final, cause = steps.conclusion(error)
        final.attempts = tuple(job.ledger)
        raise final from cause


class _Steps:
    """One job's answers to what `run_attempts` asks."""

    def __init__(self, loop: AttemptLoop, job: Job) -> None:
        self._loop, self._job = loop, job
        self._errors: list[LLMError] = []
        self.trial: Trial | None = None

    def retryable(self, error: BaseException) -> bool:
        """Whether another attempt is allowed and possible."""
        if not isinstance(error, LLMError) or self.trial is None:
            return False
        verdict, route, clock = classify(error), self._job.route, self._loop.clock
        route.exclude(self.trial.instance, verdict.exclude)
        asked = error.retry_after
        route.mark_tried(self.trial.instance, None if asked is None else clock.monotonic() + respectful(asked, clock))
        allowed = len(self._job.ledger) <= self._loop.max_retries
        return verdict.retry and allowed and bool(self._loop.pool.eligible(route))

    def pause(self) -> float:
        """Go to an untried instance at once; pause before a new round over all of them."""
        route, clock = self._job.route, self._loop.clock
        eligible = self._loop.pool.eligible(route)
        if not route.tried.issuperset(eligible):
            return 0.0
        return route.start_over(eligible, clock.monotonic(), full_jitter(route.rounds + 1, clock))

    def too_late(self, pause: float) -> bool:
        """Whether the deadline comes first; the error that led here is raised now rather than then."""
        return pause > LONGEST_PAUSE or pause >= self._job.deadline.remaining()

    def failover(self, error: BaseException, pause: float) -> None:
        """Keep the error: it may be the one to raise in the end."""
        if isinstance(error, LLMError):
            self._errors.append(error)

    def sleep(self, seconds: float) -> None:
        """Pause, cut short when the manager closes."""
        if seconds > 0 and self._loop.clock.wait(self._loop.closed, seconds):
            raise ManagerClosedError("the manager was closed while the request waited for its next attempt")

    def conclusion(self, error: LLMError) -> tuple[LLMError, BaseException | None]:
        """Return the error to raise where `error` ended the loop, and its cause."""
        errors = [*self._errors, error]
        verdict = classify(error)
        if verdict.retry and verdict.exclude is Exclusion.NOTHING and self._job.deadline.passed:
            errors.append(self._job.late())  # what it lacked was time
        final = most_actionable(errors)
        before = [other for other in errors if other is not final]
        return final, final.__cause__ or (before[-1] if before else None)
