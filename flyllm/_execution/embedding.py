"""Embedding texts: a course through one model, and another one through the next where that cannot be finished."""

from flyllm._clock import Clock
from flyllm._execution.course import Course
from flyllm._execution.embedding_job import EmbeddingJob
from flyllm._execution.loop import AttemptLoop
from flyllm._execution.responses import failure
from flyllm._resilience.classification import classify, most_actionable
from flyllm._routing.instance import Instance
from flyllm.errors import LLMError, NoInstanceError
from flyllm.observability.events import Emitter, RequestEvent
from flyllm.types import EmbeddingResponse, LLMResponse


class Embeddings:
    """Runs embedding jobs."""

    def __init__(self, loop: AttemptLoop, clock: Clock, emitter: Emitter) -> None:
        self._loop, self._clock, self._emitter = loop, clock, emitter

    def run(self, job: EmbeddingJob) -> EmbeddingResponse:
        """Return the vectors of all texts. Raises the most telling `LLMError`; either is reported to the observers."""
        try:
            response = self._response(job, self._finished(job))
        except LLMError as error:
            self._emitter.request(RequestEvent(job.request, failure(job, error, self._clock), id=job.id))
            raise
        self._emitter.request(RequestEvent(job.request, _reported(job, response), id=job.id))
        return response

    def _finished(self, job: EmbeddingJob) -> Course:
        """Return a course that came to its end; each begins with the first text, at a model none has tried."""
        ruled_out: list[Instance] = []
        errors: list[LLMError] = []
        while True:
            course = Course(job, self._loop, ruled_out)
            try:
                course.run()
            except LLMError as error:
                errors.append(error)
            else:
                return course
            if not self._may_begin_again(job, course, errors[-1], ruled_out):
                break
        final = most_actionable(errors)
        final.attempts = job.attempts
        raise final from (final.__cause__ or next((e for e in reversed(errors) if e is not final), None))

    def _may_begin_again(self, job: EmbeddingJob, course: Course, error: LLMError, ruled_out: list[Instance]) -> bool:
        """Rule out the model of a `course` that ended in `error`; return whether there is another one to go to."""
        if course.instance is None:  # every model was open to the call that failed
            return False
        vain = not (classify(error).retry or isinstance(error, NoInstanceError))
        if vain or job.deadline.passed or not self._loop.max_retries:
            return False
        ruled_out.append(course.instance)
        return bool(self._loop.pool.eligible(Course(job, self._loop, ruled_out).route()))

    def _response(self, job: EmbeddingJob, course: Course) -> EmbeddingResponse:
        last = course.parts[-1]
        return EmbeddingResponse(
            embeddings=tuple(course.vectors),
            usage=course.usage,
            model=last.found.model or last.trial.instance.model,
            provider=last.trial.instance.provider,
            instance_id=last.trial.instance.id,
            instance_name=last.trial.instance.name,
            task=job.request.task,
            attempts=job.attempts,
            duration=self._clock.monotonic() - job.started,
            dropped_params=tuple(dict.fromkeys(name for part in course.parts for name in part.trial.dropped)),
            cost=course.cost,
            id=job.id,
            raw=[part.found.raw for part in course.parts],
        )


def _reported(job: EmbeddingJob, response: EmbeddingResponse) -> LLMResponse:
    """Return what observers see of `response`: an answer without content."""
    return LLMResponse(
        usage=response.usage,
        model=response.model,
        provider=response.provider,
        instance_id=response.instance_id,
        instance_name=response.instance_name,
        task=response.task,
        attempts=response.attempts,
        duration=response.duration,
        dropped_params=response.dropped_params,
        custom_id=job.request.custom_id,
        cost=response.cost,
        id=response.id,
    )
