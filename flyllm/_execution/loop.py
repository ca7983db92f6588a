"""The attempt loop: the only one in the package. Calls and streams run it; it fits on one screen.

It decides nothing itself: the verdict on a failure comes from `classification`, the next instance and the moment from
the pool, the pause from `backoff`, and tenacity does the repeating.
"""

import math
from collections.abc import Callable
from typing import Protocol, TypeVar

from flyllm._clock import Clock
from flyllm._execution.attempt import Attempts, Trial
from flyllm._execution.hedge import Hedges, Outcome
from flyllm._execution.job import Job
from flyllm._resilience.backoff import full_jitter
from flyllm._resilience.classification import (
    ANOTHER_MODEL,
    ASK_AGAIN,
    Exclusion,
    Verdict,
    classify,
    most_actionable,
)
from flyllm._resilience.retry import run_attempts
from flyllm._routing.instance import Instance
from flyllm._routing.pool import Pool
from flyllm._routing.route import Route
from flyllm.errors import (
    ContentFilterError,
    ContextLengthError,
    DeadlineExceededError,
    InvalidOutputError,
    LLMError,
    RequestError,
)

T = TypeVar("T", bound=Outcome)

MAX_HOPS = 20
"""Refusals for load, and probes of instances that are down, that a request makes beside its `max_retries`.

Either costs little and may be many. A probe serves everybody: whoever makes it in an outage must not be lost for it.
"""


class AttemptLoop:
    """Runs attempts of a job until one succeeds or none can help."""

    def __init__(self, attempts: Attempts, pool: Pool, clock: Clock, max_retries: int) -> None:
        self._attempts, self._hedges = attempts, Hedges(attempts, pool, clock)
        self.pool, self.clock, self.max_retries = pool, clock, max_retries

    def steps(self, job: Job) -> "Steps":
        """Return the job's steps, at their beginning."""
        return Steps(self.pool, self.clock, self.max_retries, job)

    def run(self, steps: "Steps", send: Callable[[Trial], T], broken: LLMError | None = None) -> T:
        """Return what `send` made of the first attempt that worked; raise the most telling `LLMError` otherwise.

        `broken` is the error with which an answer broke off that had been returned: the job goes on from there.
        """
        if broken is None:
            try:
                return self._attempt(steps, send)  # mostly all there is: to set up the loop costs more than routing
            except LLMError as error:
                broken = error
        return self._retried(steps, send, broken)

    def _attempt(self, steps: "Steps", send: Callable[[Trial], T]) -> T:
        steps.instance = None
        trial = self._attempts.begin(steps.job)
        steps.instance, steps.probing = trial.instance, trial.probing
        return self._hedges.run(trial, send) if steps.job.request.hedge else trial.run(send)

    def _retried(self, steps: "Steps", send: Callable[[Trial], T], failure: LLMError) -> T:
        failures = [failure]

        def attempt() -> T:
            if failures:
                raise failures.pop()
            return self._attempt(steps, send)

        try:
            return run_attempts(attempt, steps)
        except LLMError as error:
            final, cause = steps.conclusion(error)
        final.attempts = steps.job.attempts
        raise final from cause


class Outlook(Protocol):
    """What the steps ask of the pool: where a request may still go, and when."""

    def eligible(self, route: Route) -> list[int]:
        """Return the ids of the instances that may serve `route`."""

    def earliest(self, route: Route, *, fresh: bool = False) -> float:
        """Return when `route` can be served at the soonest, on the monotonic clock; inf where `fresh` finds nobody."""


class Steps:
    """One job's answers to what `run_attempts` asks. Pure: what they know of the world is the `outlook`.

    `instance` is where the attempt went that just ended, None where none was made; `probing` says that it was a probe.
    """

    def __init__(self, outlook: Outlook, clock: Clock, max_retries: int, job: Job) -> None:
        self._outlook, self._clock, self._max_retries, self.job = outlook, clock, max_retries, job
        self._errors: list[LLMError] = []
        self._counted = self._hops = 0
        self._unseen: set[int] = set()  # instances that an attempt did not reach, as far as can be told
        self.instance: Instance | None = None
        self.probing = False

    def retryable(self, error: BaseException) -> bool:
        """Whether another attempt is allowed and possible; note what it must avoid."""
        if not isinstance(error, LLMError) or self.instance is None:
            return False
        verdict, route, instance = self._verdict(error), self.job.route, self.instance
        if isinstance(error, ContextLengthError):
            route.outgrew(instance)
        route.exclude(instance, verdict.exclude)
        route.mark_tried(instance, again=verdict is ASK_AGAIN or (isinstance(error, RequestError) and error.stale))
        route.avoided = instance.provider if verdict.elsewhere else None
        route.pays = verdict.pays
        counted = verdict.counted and not self.probing
        allowed = verdict is ASK_AGAIN or (verdict.retry and self._allowed(error, instance, counted=counted))
        return allowed and bool(self._outlook.eligible(route))

    def _verdict(self, error: LLMError) -> Verdict:
        fails = self.job.request.fail_on
        if isinstance(error, InvalidOutputError) and self.job.correct(error):
            return ASK_AGAIN
        if isinstance(error, InvalidOutputError) and "invalid" in fails:
            return ANOTHER_MODEL
        if isinstance(error, ContentFilterError) and "content_filter" in fails:
            return ANOTHER_MODEL
        return classify(error)

    def _allowed(self, error: LLMError, instance: Instance, *, counted: bool) -> bool:
        if self._max_retries == 0:
            return False
        if not counted:
            self._hops += 1
            return self._hops <= MAX_HOPS
        unseen = isinstance(error, RequestError) and (not error.sent or error.stale)
        if unseen and instance.id not in self._unseen:
            self._unseen.add(instance.id)  # once per instance that is free
            return True
        self._counted += 1
        return self._counted <= self._max_retries

    def pause(self) -> float:
        """Go to an untried instance at once; where none is up, and once all were tried, wait in the pool's queue."""
        route, clock = self.job.route, self._clock
        exhausted = self._outlook.earliest(route, fresh=True) == math.inf
        if exhausted:
            route.start_over()
        if exhausted or (route.rounds and route.pays):
            route.not_before = clock.monotonic() + full_jitter(max(1, self._counted), clock)
        return max(0.0, self._outlook.earliest(route) - clock.monotonic())

    def too_late(self, pause: float) -> bool:
        """Whether the deadline comes first; the error that led here is raised now rather than then."""
        return pause >= self.job.deadline.remaining()

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
        if verdict.retry and verdict.exclude is Exclusion.NOTHING and self.job.deadline.passed:
            errors.append(self.job.late())  # what it lacked was time
        final = most_actionable(errors)
        if isinstance(final, DeadlineExceededError):
            self._tell_what_went_before(final)
        before = [other for other in errors if other is not final]
        return final, final.__cause__ or (before[-1] if before else None)

    def _tell_what_went_before(self, error: DeadlineExceededError) -> None:
        """Add to a deadline that passed in the queue why the request was there once more."""
        last = self.job.ledger[-1] if self.job.ledger else None
        if last is not None and last.error and last.error not in str(error):
            error.args = (f"{error}, after attempt {last.number} at {last.instance_name}: {last.error}",)
