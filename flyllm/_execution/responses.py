"""What users get back: the response for an answer, and for a request that got none."""

from dataclasses import replace
from typing import Any

from flyllm._clock import Clock
from flyllm._execution.attempt import Trial
from flyllm._execution.job import Job
from flyllm.errors import LLMError
from flyllm.providers.base import Completion
from flyllm.types import LLMResponse


def answer(trial: Trial, completion: Completion, parsed: Any = None) -> LLMResponse:
    """Return the response for an answer, whose text was read as `parsed`."""
    job = trial.job
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
        parsed=parsed,
        reasoning=completion.reasoning,
        attempts=job.attempts,
        duration=trial.clock.monotonic() - job.started,
        request_id=completion.request_id,
        dropped_params=trial.dropped,
        schema_changes=trial.schema_changes,
        custom_id=job.request.custom_id,
        cost=trial.instance.price.of(completion.usage),
        id=job.id,
        extra_content=completion.extra_content,
        raw=completion.raw,
    )


def failure(job: Job, error: LLMError, clock: Clock) -> LLMResponse:
    """Return the response for a request that got no answer."""
    error.attempts = error.attempts or job.attempts
    if error.answer is not None:
        error.answer = replace(error.answer, attempts=error.attempts)
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
