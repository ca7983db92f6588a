"""An instance: provider + model + key + endpoint, what may run on it, and how it is doing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from flyllm._routing.stats import Latency
from flyllm.providers.base import ApiSpec, Provider

DEFAULT_CONCURRENCY = 64
"""Attempts in flight at one instance where the user sets no limit."""


@dataclass(frozen=True, slots=True)
class Instance:
    """What does not change about an instance. `attempt_timeout` is seconds for one attempt."""

    id: int
    name: str
    provider: str
    model: str
    tasks: frozenset[str]
    api: ApiSpec
    adapter: Provider
    params: Mapping[str, Any] = field(default_factory=dict)
    max_concurrency: int = DEFAULT_CONCURRENCY
    attempt_timeout: float = 180.0


class InstanceView(Protocol):
    """What a strategy may know of a candidate.

    `last_selected` grows with every selection in the pool. `latency` is seconds as of `latency_updated` on the
    monotonic clock, None before the first answer.
    """

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def max_concurrency(self) -> int: ...
    @property
    def last_selected(self) -> int: ...
    @property
    def latency(self) -> float | None: ...
    @property
    def latency_updated(self) -> float: ...


@dataclass(frozen=True, slots=True)
class InstanceSnapshot:
    """An instance as it was at one moment: given to user-written strategies and by `manager.instances`."""

    id: int
    name: str
    provider: str
    model: str
    tasks: frozenset[str]
    enabled: bool
    in_flight: int
    max_concurrency: int
    last_selected: int
    latency: float | None
    latency_updated: float
    requests: int
    failures: int


class InstanceState:
    """What changes about an instance. Guarded by the pool's lock; an `InstanceView` for strategies under it."""

    __slots__ = (
        "_latency",
        "enabled",
        "failures",
        "id",
        "in_flight",
        "instance",
        "last_selected",
        "max_concurrency",
        "model",
        "name",
        "provider",
        "requests",
    )

    def __init__(self, instance: Instance, *, enabled: bool, last_selected: int) -> None:
        self.instance = instance
        # Copied: strategies read them for every candidate of every request.
        self.id, self.name = instance.id, instance.name
        self.provider, self.model = instance.provider, instance.model
        self.max_concurrency = instance.max_concurrency
        self.enabled = enabled
        self.in_flight = 0
        self.last_selected = last_selected
        self.requests = 0
        self.failures = 0
        self._latency = Latency()

    @property
    def latency(self) -> float | None:
        """Seconds an answer takes, as of `latency_updated`."""
        return self._latency.value

    @property
    def latency_updated(self) -> float:
        """When `latency` was last measured, on the monotonic clock."""
        return self._latency.updated

    def record(self, seconds: float, now: float, *, success: bool) -> None:
        """Take in one outcome of an attempt."""
        self.requests += 1
        self.failures += not success
        self._latency.record(seconds, now, success=success)

    def snapshot(self) -> InstanceSnapshot:
        """Return an immutable copy."""
        return InstanceSnapshot(
            id=self.id,
            name=self.name,
            provider=self.provider,
            model=self.model,
            tasks=self.instance.tasks,
            enabled=self.enabled,
            in_flight=self.in_flight,
            max_concurrency=self.max_concurrency,
            last_selected=self.last_selected,
            latency=self.latency,
            latency_updated=self.latency_updated,
            requests=self.requests,
            failures=self.failures,
        )
