"""Events of one manager, counted."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry

from flyllm.observability.events import AttemptEvent, AttemptStart, InstanceEvent, Observer, RequestEvent
from flyllm.observability.prometheus.forks import counting
from flyllm.observability.prometheus.metrics import metrics_of
from flyllm.observability.prometheus.places import Place, Requests, error_type
from flyllm.observability.prometheus.reading import PoolSnapshot
from flyllm.types import LLMResponse

NOWHERE = ("", "", "")
"""Labels of a request that reached no instance."""


class PrometheusObserver(Observer):
    """Counts in the metrics of `registry` (None: prometheus_client's own), together with other managers there.

    `snapshot` tells how the manager is now; it is called when the gauges are read, in whatever thread does. A request
    of a task that is not among `tasks` counts as one of the task "unknown". Raises ConfigError where the registry has
    other metrics by these names.
    """

    def __init__(
        self, snapshot: Callable[[], PoolSnapshot], tasks: Iterable[str] = (), registry: CollectorRegistry | None = None
    ) -> None:
        metrics = metrics_of(registry)
        self._snapshot, self._families, self._gauges = snapshot, metrics.families, metrics.gauges
        self._tasks: dict[str | None, str] = {None: "default"} | {task: task for task in tasks}
        self._places: dict[int, Place] = {}
        self._requests: dict[tuple[Place | None, str], Requests] = {}
        self._gauges.add(self)

    def on_start(self, event: AttemptStart) -> None:
        """Count what is made again."""
        self._gauges.touch()
        if not event.again:
            return
        with counting:
            place = self._place(event.instance_id, event.instance_name, event.provider, event.model)
            before = event.before
            if event.chosen_because == "hedge":
                place.hedges.inc()
                return
            place.retries.inc()
            if before is not None and before.instance_id != event.instance_id:
                self._place(before.instance_id, before.instance_name, before.provider, before.model).failovers.inc()

    def on_attempt(self, event: AttemptEvent) -> None:
        """Count an attempt."""
        attempt = event.attempt
        with counting:
            place = self._place(attempt.instance_id, attempt.instance_name, attempt.provider, attempt.model)
            place.ended(attempt, event.error)
        self._gauges.touch()

    def on_request(self, event: RequestEvent) -> None:
        """Count a request."""
        response, error = event.response, event.response.error
        with counting:
            self._of_request(response, self._tasks.get(event.request.task, "unknown")).ended(response)
            if error is not None and not response.attempts:
                self._families.errors.labels(*NOWHERE, error_type(error)).inc()

    def on_instance(self, event: InstanceEvent) -> None:
        """Have the gauges follow."""
        self._gauges.touch()

    def read(self) -> PoolSnapshot:
        """Return the manager as it is now. Its instances' series are there from then on, beginning at zero."""
        snapshot = self._snapshot()
        with counting:
            for instance in snapshot.instances:
                self._place(instance.id, instance.name, instance.provider, instance.model)
        return snapshot

    def close(self) -> None:
        """Show the manager's gauges no longer. What was counted stays."""
        self._gauges.discard(self)

    def _place(self, number: int, instance: str, provider: str, model: str) -> Place:
        place = self._places.get(number)
        if place is None:
            place = self._places[number] = Place(self._families, instance, provider, model)
        return place

    def _of_request(self, response: LLMResponse, task: str) -> Requests:
        number = response.instance_id
        if number is None and response.attempts:
            number = response.attempts[-1].instance_id
        place = None if number is None else self._places.get(number)
        found = self._requests.get((place, task))
        if found is None:
            labels = NOWHERE if place is None else place.labels
            found = self._requests[place, task] = Requests(self._families, labels, task)
        return found
