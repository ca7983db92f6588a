"""From a request to a job: checked, with its deadline and its route."""

import itertools
from collections.abc import Iterable
from contextlib import AbstractContextManager

from flyllm._clock import Clock
from flyllm._execution.job import Job
from flyllm._execution.request_check import check_request
from flyllm._resilience.deadline import Deadline
from flyllm._routing.instance import Demand
from flyllm._routing.route import Route
from flyllm._routing.token_estimate import prompt_size
from flyllm.request import GenerationRequest
from flyllm.tasks import TaskDefinition


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

    def _job(
        self, request: GenerationRequest, default: float | None, waits: AbstractContextManager[None] | None
    ) -> Job:
        check_request(request)
        task = self._tasks.get(request.task) if request.task is not None else None
        seconds = request.timeout or (task.timeout if task is not None else None) or default
        route = Route(request.task, _demand(request, task), waits)
        deadline, now = Deadline.after(self._clock, seconds), self._clock.monotonic()
        return Job(request, task, deadline, route, now, id=f"{self._prefix}-{next(self._numbers)}")


def _demand(request: GenerationRequest, task: TaskDefinition | None) -> Demand:
    params = {**(task.params if task is not None else {}), **(request.params or {})}
    return Demand(prompt_size(request), params.get("max_tokens"))
