"""A plain call: one request in, one whole answer out."""

from dataclasses import dataclass

from flyllm._clock import Clock
from flyllm._execution.attempt import Trial
from flyllm._execution.job import Job
from flyllm._execution.loop import AttemptLoop
from flyllm.errors import ContentFilterError, LLMError
from flyllm.observability.events import Emitter, RequestEvent
from flyllm.providers.base import Completion
from flyllm.types import LLMResponse


class Call:
    """Runs jobs to a whole answer."""

    def __init__(self, loop: AttemptLoop, clock: Clock, emitter: Emitter) -> None:
        self._loop, self._clock, self._emitter = loop, clock, emitter

    def run(self, job: Job) -> LLMResponse:
        """Return the answer, or a response that carries the error; either is reported to the observers."""
        try:
            answered = self._loop.run(self._loop.steps(job), _generate)
            response = answer(job, answered.trial, answered.completion, self._clock)
        except LLMError as error:
            response = failure(job, error, self._clock)
        self._emitter.request(RequestEvent(job.request, response, id=job.id))
        return response


@dataclass(frozen=True, slots=True)
class _Answered:
    trial: Trial
    completion: Completion

    def drop(self) -> None:
        """Nothing of it is held."""


def _generate(trial: Trial) -> _Answered:
    completion = trial.instance.adapter.generate(trial.request)
    refuse_filtered(trial, completion.finish_reason)
    trial.succeed(completion.usage, completion.request_id, completion.content, completion.headers)
    return _Answered(trial, completion)


def refuse_filtered(trial: Trial, finish_reason: str | None) -> None:
    """Raise for an answer that a content filter cut, where the request wants another model's instead."""
    if finish_reason == "content_filter" and trial.job.request.fallback_when_filtered:
        raise ContentFilterError("the answer was cut by the provider's content filter")


def answer(job: Job, trial: Trial, completion: Completion, clock: Clock) -> LLMResponse:
    """Return the response for an answer."""
    return LLMResponse(
        content=completion.content,
        usage=completion.usage,
        model=completion.model or trial.instance.model,
        provider=trial.instance.provider,
        instance_id=trial.instance.id,
        instance_name=trial.instance.name,
        task=job.request.task,
        finish_reason=completion.finish_reason,
        tool_calls=completion.tool_calls,
        reasoning=completion.reasoning,
        attempts=job.attempts,
        duration=clock.monotonic() - job.started,
        request_id=completion.request_id,
        dropped_params=trial.dropped,
        custom_id=job.request.custom_id,
        cost=trial.instance.price.of(completion.usage),
        id=job.id,
        extra_content=completion.extra_content,
        raw=completion.raw,
    )


def failure(job: Job, error: LLMError, clock: Clock) -> LLMResponse:
    """Return the response for a request that got no answer."""
    error.attempts = error.attempts or job.attempts
    # Not the last attempt's: the error raised may be an earlier one that says more.
    where = next((a.instance_id for a in reversed(job.ledger) if a.instance_name == error.instance), None)
    return LLMResponse(
        error=error,
        task=job.request.task,
        provider=error.provider,
        model=error.model,
        instance_id=where,
        instance_name=error.instance,
        attempts=error.attempts,
        duration=clock.monotonic() - job.started,
        request_id=error.request_id,
        custom_id=job.request.custom_id,
        id=job.id,
    )
