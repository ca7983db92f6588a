"""From a request to a job: checked, with its deadline and its route."""

import itertools
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import replace

from flyllm._clock import Clock
from flyllm._execution.embedding_job import NEEDS, EmbeddingJob
from flyllm._execution.job import Job
from flyllm._execution.needs import needs_of
from flyllm._execution.request_check import check_request
from flyllm._resilience.deadline import Deadline
from flyllm._routing.instance import Demand
from flyllm._routing.route import Route
from flyllm._routing.token_estimate import prompt_size
from flyllm.images import with_images
from flyllm.request import EmbeddingRequest, GenerationRequest
from flyllm.structured import read_form
from flyllm.tasks import TaskDefinition
from flyllm.tools.given import schemas_of


class Jobs:
    """Makes jobs of one manager; `timeout` is the deadline of single requests that have none, None for no limit."""

    def __init__(self, clock: Clock, tasks: Iterable[TaskDefinition], timeout: float | None) -> None:
        self._clock, self._timeout = clock, timeout
        self._tasks = {task.name: task for task in tasks}
        # Of this manager in this process, so that the logs of several can be put together.
        self._prefix = f"{int(clock.uniform(0, 16**6)):06x}"
        self._numbers = itertools.count(1)

    def single(self, request: GenerationRequest) -> Job:
        """Return the job of a request for itself. Raises `ConfigError` that names everything wrong with it."""
        return self._job(request, self._timeout, None)

    def of_batch(
        self, request: GenerationRequest, overall: Deadline, waits: AbstractContextManager[None] | None = None
    ) -> Job:
        """Return the job of a request in a batch with the deadline `overall`; `waits` is the route's."""
        job = self._job(request, None, waits)
        job.deadline = min(job.deadline, overall, key=lambda deadline: deadline.at)
        return job

    def embedding(self, request: EmbeddingRequest) -> EmbeddingJob:
        """Return the job of texts to embed. Raises `ConfigError` that names everything wrong with it."""
        check_request(request)
        task, now = self._task(request), self._clock.monotonic()
        route = Route(request.task, needs=NEEDS)
        return EmbeddingJob(request, task, self._deadline(request, task, self._timeout), route, now, id=self._id())

    def _job(
        self, request: GenerationRequest, default: float | None, waits: AbstractContextManager[None] | None
    ) -> Job:
        check_request(request)
        if request.tools:
            request = replace(request, tools=schemas_of(request.tools))
        request, form = with_images(request), read_form(request.response_format)
        task = self._task(request)
        route = Route(request.task, _demand(request, task), waits, needs=needs_of(request, form))
        deadline, now = self._deadline(request, task, default), self._clock.monotonic()
        return Job(request, task, deadline, route, now, form=form, id=self._id())

    def _task(self, request: GenerationRequest) -> TaskDefinition | None:
        return self._tasks.get(request.task) if request.task is not None else None

    def _deadline(self, request: GenerationRequest, task: TaskDefinition | None, default: float | None) -> Deadline:
        seconds = request.timeout or (task.timeout if task is not None else None) or default
        return Deadline.after(self._clock, seconds)

    def _id(self) -> str:
        return f"{self._prefix}-{next(self._numbers)}"


def _demand(request: GenerationRequest, task: TaskDefinition | None) -> Demand:
    params = {**(task.params if task is not None else {}), **(request.params or {})}
    return Demand(prompt_size(request), params.get("max_tokens"))
