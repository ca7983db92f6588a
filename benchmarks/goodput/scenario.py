"""What a scenario is: a world, a client in it, and the bars its figures must reach."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.goodput.client import ClientSettings
from benchmarks.goodput.optimum import Limit, Supply, optimum
from benchmarks.goodput.world import REFUSAL_SECONDS, Provider, World, service_times

Runner = Literal["batch", "bare", "open"]
"""One batch; the adapters alone, from as many threads, without flyllm above them; single requests at a fixed rate."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise: the worst seed's `metric` is at least `least` or at most `most`."""

    metric: str
    least: float = -math.inf
    most: float = math.inf

    def holds(self, worst: float) -> bool:
        """Return whether `worst` keeps it."""
        return self.least <= worst <= self.most


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table.

    Attributes:
        requests: in the batch, or arrivals of an open loop.
        speed: seconds of the world in one real second.
        own_clock: flyllm's constants are real seconds, as in production, while the world runs at `speed`.
        model: what RELIABILITY.md's model says, for comparison.
        arrivals: per second of the world, of an open loop.
    """

    name: str
    title: str
    providers: tuple[Provider, ...]
    client: ClientSettings
    requests: int
    speed: float = 10.0
    own_clock: bool = False
    seeds: int = 5
    bars: tuple[Bar, ...] = ()
    model: str = ""
    runner: Runner = "batch"
    arrivals: float = 0.0
    in_quick: bool = True

    @property
    def clock_speed(self) -> float:
        """Seconds of flyllm's clock in one real second."""
        return 1.0 if self.own_clock else self.speed

    def world(self, seed: int) -> World:
        """Return the world of one run."""
        return World(seed, self.requests, self.speed, self.providers)

    def best(self, seed: int, answered: int) -> float:
        """Return T* in seconds of the world for `answered` of the requests."""
        times = service_times(seed, self.requests)
        mean, fastest = sum(times) / len(times), min(provider.service for provider in self.providers)
        return optimum(self.supplies(mean), self.client.workers, answered, max(times) * fastest)

    def supplies(self, mean: float) -> list[Supply]:
        """Return what the providers can give where a service of length 1 takes `mean` seconds on average."""
        return [_supply(provider, self.client, mean) for provider in self.providers]


def _supply(provider: Provider, client: ClientSettings, mean: float) -> Supply:
    options: Mapping[str, int] = client.instance
    ceilings = [provider.ceiling, options.get("max_concurrency"), client.workers]
    rate = provider.rate
    return Supply(
        slots=min(ceiling for ceiling in ceilings if ceiling is not None),
        service=provider.service * mean,
        error_rate=provider.error_rate,
        error_seconds=REFUSAL_SECONDS,
        down=tuple((outage.begin, outage.end) for outage in provider.outages),
        limits=(Limit(rate.burst, rate.per_second),) if rate is not None else (),
    )
