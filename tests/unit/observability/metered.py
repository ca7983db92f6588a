"""The core over fake providers with its metrics in a registry of their own, and ways to read that."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from flyllm._routing.instance import Instance
from flyllm.observability.prometheus.observer import PrometheusObserver
from flyllm.tasks import TaskDefinition
from tests.unit.fakes import Core, core


@dataclass
class Metered:
    """A core, and the observer that counts what it does."""

    core: Core
    observer: PrometheusObserver
    registry: CollectorRegistry = field(repr=False)

    def value(self, name: str, **labels: str) -> float | None:
        """Return what one series shows, None where there is none."""
        return self.registry.get_sample_value(name, labels)

    def total(self, name: str, **labels: str) -> float:
        """Return the sum over all series that have these labels."""
        return sum(value for _, found, value in samples(self.registry, name) if labels.items() <= found.items())


def metered(
    *instances: Instance,
    registry: CollectorRegistry | None = None,
    tasks: Iterable[TaskDefinition] = (),
    **options: Any,
) -> Metered:
    """Wire a core over `instances` with its metrics in `registry`, a new one unless it is given."""
    registry, tasks = CollectorRegistry() if registry is None else registry, list(tasks)
    observer = PrometheusObserver(lambda: made.pool.snapshot(), [task.name for task in tasks], registry)  # noqa: PLW0108 - `made` comes later
    made = core(*instances, tasks=tasks, observers=[observer], **options)
    return Metered(made, observer, registry)


def samples(registry: CollectorRegistry, name: str = "") -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield name, labels and value of what /metrics shows under `name`, of everything without one."""
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            if name in ("", sample.name):
                yield sample.name, sample.labels, sample.value


def label_values(registry: CollectorRegistry, label: str) -> set[str]:
    """Return all values that a label has in what /metrics shows."""
    return {labels[label] for _, labels, _ in samples(registry) if label in labels}
