"""Rules of what a manager shows of itself at the moment of a scrape."""

import gc
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from flyllm.errors import ConfigError, RateLimitError
from flyllm.observability.prometheus import gauges
from flyllm.observability.prometheus.observer import PrometheusObserver
from tests.unit.fakes import FakeProvider, instance
from tests.unit.observability.metered import metered, samples

LABELS = {"instance": "i0", "provider": "openai", "model": "m0"}


@dataclass(frozen=True)
class Reading:
    id: int = 0
    name: str = "i0"
    provider: str = "openai"
    model: str = "m0"
    enabled: bool = True
    in_flight: int = 2
    max_concurrency: int = 8
    health: str = "closed"
    cooling: float = 0.0


@dataclass(frozen=True)
class Snapshot:
    instances: tuple[Reading, ...] = field(default=(Reading(),))
    waiting: int = 3
    retry_tokens: float = 90.5


def shown(*snapshots: Snapshot) -> tuple[CollectorRegistry, list[PrometheusObserver]]:
    registry = CollectorRegistry()
    observers = [PrometheusObserver(lambda snapshot=snapshot: snapshot, (), registry) for snapshot in snapshots]  # type: ignore[misc]
    return registry, observers


def gauge(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"llm_{name}", labels)


def of_reading(name: str, **changes: Any) -> float | None:
    registry, held = shown(Snapshot((replace(Reading(), **changes),)))
    assert held
    return gauge(registry, name, **LABELS)


def test_a_scrape_shows_the_manager_as_it_is_at_that_moment() -> None:
    """Every gauge, and again after something has changed."""
    seen: list[float | None] = []

    def look(request: object) -> str:
        seen.append(registry.get_sample_value("llm_in_flight", LABELS))
        return "ok"

    registry = CollectorRegistry()
    m = metered(instance(0, FakeProvider(look)), registry=registry)
    m.core.run()
    assert seen == [1]
    assert m.value("llm_in_flight", **LABELS) == 0
    assert m.value("llm_concurrency_ceiling", **LABELS) == 64
    assert m.value("llm_provider_healthy", **LABELS) == 1
    assert m.value("llm_queue_length") == 0
    assert m.value("llm_retry_budget_tokens") == 100
    m.core.disable(0)
    assert m.value("llm_provider_healthy", **LABELS) == 0


def test_an_instance_that_asked_to_be_left_alone_shows_until_when() -> None:
    """Seconds of the unix time; 0 where it did not ask."""
    m = metered(instance(0, FakeProvider(RateLimitError("x", retry_after=30.0))), instance(1))
    m.core.run()
    until = m.value("llm_cooldown_until_timestamp_seconds", **LABELS)
    assert until is not None
    other = {"instance": "i1", "provider": "openai", "model": "m1"}
    assert m.value("llm_cooldown_until_timestamp_seconds", **other) == 0
    assert of_reading("cooldown_until_timestamp_seconds", cooling=0.0) == 0


@pytest.mark.parametrize("state", gauges.STATES)
def test_the_breaker_is_in_one_state(state: str) -> None:
    """1 for that, 0 for the others; healthy is closed."""
    registry, held = shown(Snapshot((Reading(health=state),)))
    assert held
    states = {s: gauge(registry, "breaker_state", **LABELS, state=s) for s in gauges.STATES}
    assert states == {s: float(s == state) for s in gauges.STATES}
    assert gauge(registry, "provider_healthy", **LABELS) == (state == "closed")


def test_equally_named_instances_of_several_managers_are_put_together() -> None:
    """What can be added is; the worst health, the latest cooldown."""
    worse = Snapshot((Reading(in_flight=5, max_concurrency=4, health="open", cooling=60.0),), 1, 9.5)
    registry, held = shown(Snapshot(), worse)
    assert held
    assert gauge(registry, "in_flight", **LABELS) == 7
    assert gauge(registry, "concurrency_ceiling", **LABELS) == 12
    assert gauge(registry, "provider_healthy", **LABELS) == 0
    assert gauge(registry, "breaker_state", **LABELS, state="open") == 1
    assert (gauge(registry, "cooldown_until_timestamp_seconds", **LABELS) or 0) > 1e9
    assert (gauge(registry, "queue_length"), gauge(registry, "retry_budget_tokens")) == (4, 100)


def test_a_closed_manager_is_shown_no_longer_and_what_it_counted_is() -> None:
    """The others stay."""
    m = metered(instance(0))
    m.core.run()
    m.observer.close()
    m.observer.close()
    assert m.value("llm_in_flight", **LABELS) is None
    assert m.value("llm_queue_length") is None
    assert m.total("llm_requests_total") == 1


def test_a_manager_that_is_gone_is_shown_no_longer() -> None:
    """The registry does not keep it alive."""
    registry, observers = shown(Snapshot(), Snapshot())
    assert gauge(registry, "in_flight", **LABELS) == 4
    del observers[0]
    gc.collect()
    assert gauge(registry, "in_flight", **LABELS) == 2


def test_a_registry_that_is_gone_takes_its_metrics_along() -> None:
    """They are kept by it, not by this package."""
    from flyllm.observability.prometheus.metrics import _of_registry

    gc.collect()
    before = len(_of_registry)
    registry, observers = shown(Snapshot())
    assert len(_of_registry) == before + 1
    del registry, observers
    gc.collect()
    assert len(_of_registry) == before


def test_gauges_can_be_asked_for_by_name() -> None:
    """As Prometheus does with `name[]`."""
    registry, held = shown(Snapshot())
    assert held
    text = generate_latest(registry.restricted_registry(["llm_in_flight"])).decode()
    assert 'llm_in_flight{instance="i0",model="m0",provider="openai"} 2.0' in text


def test_a_registry_with_other_metrics_of_these_names_is_refused_and_left_as_it_was() -> None:
    """The error says what to do."""
    from prometheus_client import Counter

    registry = CollectorRegistry()
    Counter("llm_errors", "Somebody else's.", registry=registry)
    with pytest.raises(ConfigError, match=r"CollectorRegistry of their own.*llm_errors"):
        PrometheusObserver(Snapshot, (), registry)
    assert {name for name, _, _ in samples(registry)} == {"llm_errors_total", "llm_errors_created"}
