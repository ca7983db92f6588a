"""The gauges: what managers are doing now, and how the values of several managers or processes are put together."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from flyllm.observability.prometheus.families import INSTANCE
from flyllm.observability.prometheus.reading import PoolSnapshot

Mode = Literal["livesum", "livemin", "livemax"]
Labels = tuple[str, ...]
Values = Mapping[str, Mapping[Labels, float]]
"""By the gauge's name and the values of its labels."""

STATES = ("closed", "open", "half_open")

NEUTRAL: Mapping[Mode, float] = {"livesum": 0.0, "livemin": 1.0, "livemax": 0.0}
"""What changes nothing about the others' values."""

_JOINED: Mapping[Mode, Callable[[float, float], float]] = {
    "livesum": lambda a, b: a + b,
    "livemin": min,
    "livemax": max,
}


class GaugeRow(NamedTuple):
    """A gauge. `mode` is prometheus_client's word for how the values of living processes are put together."""

    name: str
    text: str
    labels: Labels
    mode: Mode


GAUGES = (
    GaugeRow("llm_in_flight", "Attempts under way.", INSTANCE, "livesum"),
    GaugeRow("llm_concurrency_ceiling", "Attempts at once at most, as learned so far.", INSTANCE, "livesum"),
    GaugeRow(
        "llm_cooldown_until_timestamp_seconds",
        "Unix time until which it asked to be left alone, 0 where it did not.",
        INSTANCE,
        "livemax",
    ),
    GaugeRow("llm_breaker_state", "1 for the state that its breaker is in.", (*INSTANCE, "state"), "livemax"),
    GaugeRow("llm_provider_healthy", "1 where it is enabled and its breaker is closed.", INSTANCE, "livemin"),
    GaugeRow("llm_queue_length", "Requests that wait for an instance.", (), "livesum"),
    GaugeRow("llm_retry_budget_tokens", "Retries that may be made at once.", (), "livesum"),
)


def combined(snapshots: Iterable[PoolSnapshot], now: float) -> Values:
    """Return the values of all managers together, at the unix time `now`."""
    values: dict[str, dict[Labels, float]] = {row.name: {} for row in GAUGES}
    modes = {row.name: row.mode for row in GAUGES}
    for snapshot in snapshots:
        for name, labels, value in _readings(snapshot, now):
            mode, series = modes[name], values[name]
            series[labels] = _JOINED[mode](series.get(labels, NEUTRAL[mode]), value)
    return values


def _readings(snapshot: PoolSnapshot, now: float) -> Iterator[tuple[str, Labels, float]]:
    for instance in snapshot.instances:
        labels = (instance.name, instance.provider, instance.model)
        # To a tenth of a second: the same moment is computed anew each time, and should look the same.
        until = round(now + instance.cooling, 1) if instance.cooling > 0 else 0.0
        yield "llm_in_flight", labels, instance.in_flight
        yield "llm_concurrency_ceiling", labels, instance.max_concurrency
        yield "llm_cooldown_until_timestamp_seconds", labels, until
        for state in STATES:
            yield "llm_breaker_state", (*labels, state), float(instance.health == state)
        yield "llm_provider_healthy", labels, float(instance.enabled and instance.health == "closed")
    yield "llm_queue_length", (), snapshot.waiting
    yield "llm_retry_budget_tokens", (), snapshot.retry_tokens
