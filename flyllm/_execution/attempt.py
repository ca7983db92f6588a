"""One attempt: lease an instance, build its request, and write down what came of it, exactly once."""

import logging
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from flyllm._clock import Clock
from flyllm._execution.fitting import fitted
from flyllm._execution.job import Job, messages_of
from flyllm._resilience.classification import Exclusion
from flyllm._routing.instance import Instance
from flyllm._routing.lease import Lease, Report
from flyllm._routing.pool import Pool
from flyllm._secret import redact
from flyllm.errors import DeadlineExceededError, InvalidRequestError, LLMError, ProviderError, RequestError
from flyllm.observability.events import AttemptEvent, AttemptStart, Emitter
from flyllm.providers.base import ProviderRequest
from flyllm.types import Attempt, TokenUsage

logger = logging.getLogger("flyllm.requests")

T = TypeVar("T")
E = TypeVar("E", bound=LLMError)

_UNKNOWN = TokenUsage()


class Trial:
    """An attempt under way. `succeed`, `fail` or `abandon` ends it and returns whether it was the one that did."""

    def __init__(self, job: Job, lease: Lease, request: ProviderRequest, clock: Clock, emitter: Emitter) -> None:
        self.job, self.instance, self.request, self.clock = job, lease.instance, request, clock
        self.dropped = job.unsupported(request.params, lease.instance.api)
        self.schema_changes = fitted(job.form, lease.instance).changes if job.form is not None else ()
        self._lease, self._emitter = lease, emitter
        self._began, self._began_wall = clock.monotonic(), clock.wall()
        self._waited = self._began - job.idle_since
        self._first_content: float | None = None
        job.begun += 1
        self._number = job.begun
        self._ended = threading.Lock()  # taken once, by the thread that ends the attempt, and never released

    @property
    def probing(self) -> bool:
        """Whether it tries an instance out that had failed."""
        return self._lease.probe

    @property
    def ended(self) -> bool:
        """Whether the attempt is over."""
        return self._ended.locked()

    def run(self, send: "Callable[[Trial], T]") -> T:
        """Return what `send` makes of this attempt. If it raises, the attempt is over, else it may still be open."""
        self._announce()
        try:
            return send(self)
        except LLMError as exc:
            error = exc
        except Exception as exc:
            error = unforeseen(exc, ProviderError)
        except BaseException:
            self.abandon()
            raise
        answer = error.answer
        self.fail(error, *((answer.usage, answer.content) if answer is not None else ()))
        raise error  # outside the handler: see `unforeseen`

    def brings(self) -> None:
        """Note that a stream's first content is there."""
        self._first_content = self._seconds()

    def succeed(
        self, usage: TokenUsage, request_id: str | None, content: str, headers: Mapping[str, str] | None = None
    ) -> bool:
        """End with an answer, whose reply had these `headers`."""
        report = Report.success(self._seconds(), usage, headers)
        return self._end(report, "success", usage, request_id, content)

    def fail(self, error: LLMError, usage: TokenUsage = _UNKNOWN, content: str = "") -> bool:
        """End with an error, which learns where it happened; `content` is what had been received."""
        error.located(provider=self.instance.provider, model=self.instance.model, instance=self.instance.name)
        waited_in_vain = isinstance(error, RequestError | DeadlineExceededError) and not content
        if waited_in_vain and self.job.deadline.passed:
            report = Report.late(self._seconds(), error)
        else:
            report = Report.failure(self._seconds(), error, usage)
        if self.job.aside:
            report = replace(report, aside=True)
        return self._end(report, type(error).__name__, usage, error.request_id, content)

    def abandon(self, usage: TokenUsage = _UNKNOWN, content: str = "") -> bool:
        """End because the caller gave up."""
        return self._end(Report.nothing(self._seconds(), usage), "abandoned", usage, None, content)

    def outrun(self) -> bool:
        """End because an attempt made beside this one was faster."""
        return self._end(Report.outrun(self._seconds()), "outrun", _UNKNOWN, None, "")

    def _seconds(self) -> float:
        return self.clock.monotonic() - self._began

    def _announce(self) -> None:
        if not self._emitter.starts:  # nobody listens
            return
        instance, ledger = self.instance, self.job.ledger
        self._emitter.start(
            AttemptStart(
                self.job.id,
                self._number,
                instance.id,
                instance.name,
                instance.provider,
                instance.model,
                self._waited,
                self._lease.reason,
                ledger[-1] if ledger else None,
                self.job.request,
            )
        )

    def _end(self, report: Report, word: str, usage: TokenUsage, request_id: str | None, content: str) -> bool:
        if not self._ended.acquire(blocking=False):
            return False
        changed = self._lease.close(report)
        attempt = self._record(report, word, usage, request_id)
        self.job.ledger.append(attempt)
        self.job.idle_since = self._began + report.seconds
        event = AttemptEvent(attempt, self.job.request, self.request.params, report.error, content, self.job.id)
        self._emitter.attempt(event)
        if changed is not None:
            self._emitter.instance(changed)
        return True

    def _record(self, report: Report, word: str, usage: TokenUsage, request_id: str | None) -> Attempt:
        error, instance = report.error, self.instance
        return Attempt(
            number=self._number,
            instance_id=instance.id,
            instance_name=instance.name,
            provider=instance.provider,
            model=instance.model,
            started=self._began_wall,
            waited=self._waited,
            duration=report.seconds,
            outcome=word,
            error=str(error) if error is not None else None,
            status_code=error.status_code if error is not None else (200 if word == "success" else None),
            retry_after=error.retry_after if error is not None else None,
            request_id=request_id,
            usage=usage,
            chosen_because=self._lease.reason,
            first_content=self._first_content,
            cost=instance.price.of(usage),
        )


class Attempts:
    """Begins attempts: chooses where (pool) and builds what is sent there."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        emitter: Emitter,
        unsupported_params: Literal["warn", "error"],
        admit: Callable[[], None] | None = None,
    ) -> None:
        self._pool, self._clock, self._emitter, self._admit = pool, clock, emitter, admit
        self._strict = unsupported_params == "error"
        self._warned_lock = threading.Lock()  # guards _warned
        self._warned: set[tuple[str, str]] = set()

    def begin(self, job: Job) -> Trial:
        """Lease an instance for `job` and return the attempt, ready to be sent."""
        refusal: InvalidRequestError | None = None
        while True:
            lease = self._acquire(job, refusal)
            trial = self._trial(job, lease)
            if not trial.dropped:
                return trial
            if not self._strict:
                self._warn_dropped(trial)
                return trial
            lease.close(Report.unused())
            # Only this instance: another API of the same provider may take them.
            job.route.exclude(trial.instance, Exclusion.INSTANCE)
            refusal = InvalidRequestError(
                f"{trial.instance.provider} does not take {', '.join(trial.dropped)} (unsupported_params is 'error')",
                provider=trial.instance.provider,
                model=trial.instance.model,
                instance=trial.instance.name,
            )

    def hedge(self, job: Job, lease: Lease) -> Trial | None:
        """Return a second attempt for `job` beside the one under way, None where that instance is too strict for it."""
        trial = self._trial(job, lease)
        if self._strict and trial.dropped:
            lease.close(Report.unused())
            return None
        job.hedged = True
        return trial

    def _acquire(self, job: Job, refusal: InvalidRequestError | None) -> Lease:
        self._check(job)
        if job.deadline.passed:
            raise job.late()
        if refusal is not None and not self._pool.eligible(job.route):
            raise refusal
        return self._pool.acquire(job.route, job.deadline)

    def _trial(self, job: Job, lease: Lease) -> Trial:
        try:
            return Trial(job, lease, self._request(job, lease.instance), self._clock, self._emitter)
        except BaseException:
            lease.close(Report.unused())
            raise

    def _request(self, job: Job, instance: Instance) -> ProviderRequest:
        self._check(job)  # again: it may have waited
        request = job.request
        seconds = min(instance.attempt_timeout, job.deadline.remaining())
        if seconds <= 0.0:  # it passed while the request waited for a place
            raise job.late()
        return ProviderRequest(
            model=instance.model,
            messages=[*messages_of(request), *job.corrections, *_prefix(job, instance)],
            params=_merged(job, instance),
            tools=request.tools,  # type: ignore[arg-type]  # a job's are dicts
            tool_choice=request.tool_choice,
            response_format=fitted(job.form, instance).response_format if job.form is not None else None,
            timeout=seconds,
        )

    def _check(self, job: Job) -> None:
        """Raise where no new requests are admitted and this is one: what has begun is finished."""
        if self._admit is not None and not job.begun:
            self._admit()

    def _warn_dropped(self, trial: Trial) -> None:
        provider = trial.instance.provider
        with self._warned_lock:
            fresh = [name for name in trial.dropped if (provider, name) not in self._warned]
            self._warned.update((provider, name) for name in fresh)
        if fresh:
            logger.warning("%s does not take %s: left out of requests to it", provider, ", ".join(fresh))


def _prefix(job: Job, instance: Instance) -> list[Mapping[str, Any]]:
    """Return the message that has the model go on from the answer's beginning, if there is one."""
    return [{"role": "assistant", "content": job.prefix, **(instance.api.prefill or {})}] if job.prefix else []


def _merged(job: Job, instance: Instance) -> Mapping[str, Any]:
    """Merge parameters: instance < task < task's for this provider < request < request's for this provider."""
    merged = {**instance.params}
    for asked in (job.task, job.request):
        if asked is None:
            continue
        merged.update(asked.params or {})
        for provider, extra in (asked.provider_params or {}).items():
            if provider.lower() == instance.provider:
                merged.update(extra)
    return merged


def unforeseen(exc: Exception, kind: type[E]) -> E:
    """Return an error for an exception that should not have come: a bug, in an adapter most likely.

    It must not become the error's cause or context: it may hold an SDK's request with the key in its headers.
    """
    last = traceback.extract_tb(exc.__traceback__)[-1]
    return kind(redact(f"unexpected {type(exc).__name__} in {Path(last.filename).name}:{last.lineno}: {exc}"))
