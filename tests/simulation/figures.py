"""The promised figures: worlds of four instances, a batch over them, and the ratio to the computed optimum T*."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.goodput.optimum import Limit, Supply, optimum
from tests.simulation.engine import Settings, Simulation
from tests.simulation.server import FAST, Behaviour, Kind, Outage, Rate
from tests.unit.fakes import instance

W = 64
PER_INSTANCE = W // 4
N = 47 * W
WELL = Behaviour()


@dataclass(frozen=True)
class Scenario:
    """A batch of `requests` by `workers` over the `behaviours`, with what the user declares of every instance."""

    behaviours: Sequence[Behaviour]
    requests: int = N
    workers: int = W
    declared: Mapping[str, Any] = field(default_factory=lambda: {"max_concurrency": PER_INSTANCE})
    settings: Settings = Settings()

    def run(self, seed: int) -> "Outcome":
        """Simulate it."""
        instances = [instance(number, **self.declared) for number in range(len(self.behaviours))]
        simulation = Simulation(seed, instances, self.behaviours, self.settings)
        simulation.batch(self.requests, self.workers)
        simulation.run()
        return Outcome(self, simulation)

    def optimum(self, answered: int, lengths: Sequence[float]) -> float:
        """Return T* for the `answered` of its requests."""
        mean, fastest = sum(lengths) / len(lengths), min(b.service for b in self.behaviours)
        supplies = [self._supply(behaviour, mean) for behaviour in self.behaviours]
        return optimum(supplies, self.workers, answered, max(lengths) * fastest)

    def _supply(self, behaviour: Behaviour, mean: float) -> Supply:
        ceilings = [behaviour.ceiling, self.declared.get("max_concurrency"), self.workers]
        rate = behaviour.rate
        return Supply(
            slots=min(ceiling for ceiling in ceilings if ceiling is not None),
            service=behaviour.service * mean,
            error_rate=sum(behaviour.chances.values()),
            error_seconds=FAST,
            down=tuple((outage.begin, outage.end) for outage in behaviour.outages),
            limits=(Limit(rate.burst, rate.per_second or rate.burst / (rate.window or 1.0)),) if rate else (),
        )


@dataclass(frozen=True)
class Outcome:
    """The figures of one run."""

    scenario: Scenario
    simulation: Simulation

    @property
    def best(self) -> float:
        """T*, in seconds."""
        return self.scenario.optimum(self.simulation.answered, [f.length for f in self.simulation.flights])

    @property
    def ratio(self) -> float:
        """T* over the time it took."""
        return self.best / self.simulation.seconds

    @property
    def late(self) -> float:
        """Seconds beyond T*."""
        return self.simulation.seconds - self.best

    @property
    def lost(self) -> int:
        """Requests without an answer."""
        return self.scenario.requests - self.simulation.answered

    @property
    def wire(self) -> float:
        """Attempts per request."""
        return self.simulation.wire / self.scenario.requests

    @property
    def trips(self) -> int:
        """How often an instance was ejected for failures."""
        return sum(self.simulation.trips.values())

    @property
    def refused(self) -> int:
        """Attempts answered 429."""
        return sum(server.refusals for server in self.simulation.servers.values())


def one_of_four(*outages: Outage) -> tuple[Behaviour, ...]:
    """Return four providers, the first with these outages."""
    return (Behaviour(outages=outages), WELL, WELL, WELL)


def _uniform(rate: float) -> Scenario:
    return Scenario((Behaviour(chances={"error": rate}),) * 4, settings=Settings(max_retries=3))


def _all_down(kind: Kind) -> Scenario:
    declared = {"max_concurrency": PER_INSTANCE, "attempt_timeout": 30.0}
    return Scenario((Behaviour(outages=(Outage(10, 70, kind),)),) * 4, declared=declared)


def _ceiling(ceiling: int, workers: int, rounds: int, strategy: str = "lru") -> Scenario:
    behaviours = (Behaviour(ceiling=ceiling),) * 4
    return Scenario(behaviours, rounds * 4 * ceiling, workers, {}, Settings(strategy))


def _speeds(strategy: str) -> Scenario:
    behaviours = tuple(Behaviour(service=service) for service in (0.5, 1.0, 2.0, 4.0))
    return Scenario(behaviours, 100 * W // 2, W // 2, settings=Settings(strategy))


FAILING = Outage(0, math.inf, "error")
HANGING = {"max_concurrency": PER_INSTANCE, "attempt_timeout": 30.0}
SCENARIOS: dict[str, Scenario] = {
    "fault-free": Scenario((WELL,) * 4),
    "fails-fast": Scenario(one_of_four(FAILING)),
    "refused": Scenario(one_of_four(Outage(0, math.inf, "refused"))),
    "hole-lowest-latency": Scenario(one_of_four(FAILING), settings=Settings("lowest_latency")),
    "hole-least-busy": Scenario(one_of_four(FAILING), settings=Settings("least_busy")),
    "hangs": Scenario(one_of_four(Outage(0, math.inf, "hang")), declared=HANGING),
    "hangs-long": Scenario(
        one_of_four(Outage(0, math.inf, "hang")), 312 * 20, 20, {"max_concurrency": 5, "attempt_timeout": 30.0}
    ),
    "flaps": Scenario(one_of_four(*(Outage(s, s + 10.0, "error") for s in range(0, 1200, 20)))),
    "down-first": Scenario(one_of_four(Outage(0, 20, "refused"))),
    "storm-first": Scenario(one_of_four(Outage(0, 30, "busy"))),
    "all-down-refused": _all_down("refused"),
    "all-down-error": _all_down("error"),
    "all-down-hang": _all_down("hang"),
    "all-down-error-default": Scenario((Behaviour(outages=(Outage(10, 70, "error"),)),) * 4, 47 * 20, 20, {}),
    "all-down-error-one": Scenario((Behaviour(outages=(Outage(10, 70, "error"),)),), 47 * 8, 8, {}),
    "all-down-busy": _all_down("busy"),
    "errors-10": _uniform(0.1),
    "errors-20": _uniform(0.2),
    "errors-30": _uniform(0.3),
    "errors-50": _uniform(0.5),
    "ceiling-3": _ceiling(3, 32, 94),
    "ceiling-10": _ceiling(10, 64, 94),
    "ceiling-40": _ceiling(40, 256, 94),
    "ceiling-10-least-busy": _ceiling(10, 64, 94, "least_busy"),
    "exactly-enough": _ceiling(8, 32, 94),
    "rpm-undeclared": Scenario((Behaviour(rate=Rate(120, 2.0, charged=True)),) * 4, 1440, 20, {}),
    "rpm-minute": Scenario((Behaviour(service=0.5, rate=Rate(60, window=60.0)),) * 4, 1200, 20, {"rpm": 60}),
    "rpm-second": Scenario((Behaviour(service=0.5, rate=Rate(4, 4.0)),) * 4, 1600, 20, {"rpm": 240}),
    "speeds-lowest-latency": _speeds("lowest_latency"),
    "speeds-lru": _speeds("lru"),
}
