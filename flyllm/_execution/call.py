"""A plain call: one request in, one whole answer out."""

from dataclasses import dataclass
from typing import Any

from flyllm._clock import Clock
from flyllm._execution.acceptance import accepted
from flyllm._execution.attempt import Trial
from flyllm._execution.job import Job
from flyllm._execution.loop import AttemptLoop
from flyllm._execution.responses import answer, failure
from flyllm.errors import LLMError
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
            response = answer(answered.trial, answered.completion, answered.parsed)
        except LLMError as error:
            response = failure(job, error, self._clock)
        self._emitter.request(RequestEvent(job.request, response, id=job.id))
        return response


@dataclass(frozen=True, slots=True)
class _Answered:
    trial: Trial
    completion: Completion
    parsed: Any

    def drop(self) -> None:
        """Nothing of it is held."""


def _generate(trial: Trial) -> _Answered:
    completion = trial.instance.adapter.generate(trial.request)
    parsed = accepted(trial, completion)
    trial.succeed(completion.usage, completion.request_id, completion.content, completion.headers)
    return _Answered(trial, completion, parsed)
