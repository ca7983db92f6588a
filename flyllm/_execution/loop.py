"""The attempt loop: the only one in the package. Calls and streams run it; it fits on one screen.

It decides nothing itself: the verdict on a failure comes from `classification`, the next instance and the moment from
the pool, the pause from `backoff`, and tenacity does the repeating.
"""

from collections.abc import Callable
from typing import TypeVar

from flyllm._clock import Clock
from flyllm._execution.attempt import Attempts, Trial
from flyllm._execution.job import Job
from flyllm._resilience.backoff import full_jitter
from flyllm._resilience.classification import Exclusion, classify, most_actionable
from flyllm._resilience.retry import run_attempts
from flyllm._routing.pool import Pool
from flyllm.errors import ContextLengthError, LLMError, RequestError

T = TypeVar("T")

MAX_HOPS = 20
"""Refusals for load that a request takes beside its `max_retries`: they cost little and are often many."""


class AttemptLoop:
    """Runs attempts of a job until one succeeds or none can help."""

    def __init__(self, attempts: Attempts, pool: Pool, clock: Clock, max_retries: int) -> None:
        self._attempts = attempts
        self.pool, self.clock, self.max_retries = pool, clock, max_retries

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
        self._counted = self._hops = 0
        self._refused: set[int] = set()  # instances that no connection could be made to
        self.trial: Trial | None = None

    def retryable(self, error: BaseException) -> bool:
        """Whether another attempt is allowed and possible; note what it must avoid."""
        if not isinstance(error, LLMError) or self.trial is None:
            return False
        verdict, route, instance = classify(error), self._job.route, self.trial.instance
        if isinstance(error, ContextLengthError):
            route.outgrew(instance)
        route.exclude(instance, verdict.exclude)
        route.mark_tried(instance)
        route.avoided = instance.provider if verdict.elsewhere else None
        route.pays = verdict.pays
        return verdict.retry and self._allowed(error, counted=verdict.counted) and bool(self._loop.pool.eligible(route))

    def _allowed(self, error: LLMError, *, counted: bool) -> bool:
        if self._loop.max_retries == 0 or self.trial is None:
            return False
        if not counted:
            self._hops += 1
            return self._hops <= MAX_HOPS
        instance = self.trial.instance.id
        if isinstance(error, RequestError) and not error.sent and instance not in self._refused:
            self._refused.add(instance)  # nothing was sent: once per instance that is free
            return True
        self._counted += 1
        return self._counted <= self._loop.max_retries

    def pause(self) -> float:
        """Go to an untried instance at once; before a new round over all of them, wait in the pool's queue."""
        route, clock = self._job.route, self._loop.clock
        if route.tried.issuperset(self._loop.pool.eligible(route)):
            route.start_over()
            route.not_before = clock.monotonic() + full_jitter(route.rounds, clock)
        return max(0.0, self._loop.pool.earliest(route) - clock.monotonic())

    def too_late(self, pause: float) -> bool:
        """Whether the deadline comes first; the error that led here is raised now rather than then."""
        return pause >= self._job.deadline.remaining()

    def failover(self, error: BaseException, pause: float) -> None:
        """Keep the error: it may be the one to raise in the end."""
        if isinstance(error, LLMError):
            self._errors.append(error)

    def sleep(self, seconds: float) -> None:
        """Do nothing: the next attempt waits in the pool's queue, where closing and deadlines end it."""

    def conclusion(self, error: LLMError) -> tuple[LLMError, BaseException | None]:
        """Return the error to raise where `error` ended the loop, and its cause."""
        errors = [*self._errors, error]
        verdict = classify(error)
        if verdict.retry and verdict.exclude is Exclusion.NOTHING and self._job.deadline.passed:
            errors.append(self._job.late())  # what it lacked was time
        final = most_actionable(errors)
        before = [other for other in errors if other is not final]
        return final, final.__cause__ or (before[-1] if before else None)
