"""Random worlds: one seed is one topology, one load, one history of faults and of what the user does."""

import math
import random
from typing import Any

from flyllm._routing.instance import Instance
from flyllm._routing.strategies import STRATEGY_NAMES
from tests.simulation.engine import Flight, Settings, Simulation
from tests.simulation.server import Behaviour, Kind, Outage, Rate
from tests.unit.fakes import instance

TASKS = ("summary", "code", "chat")
KINDS: tuple[Kind, ...] = (
    "error", "refused", "busy", "busy_until", "overloaded", "denied", "quota", "invalid", "hang", "local",
)  # fmt: skip
MAX_HOPS = 20


class World:
    """One random run, with every check on."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._random = draw = random.Random(f"{seed}/world")
        count = draw.randint(1, 8)
        instances = [self._instance(number) for number in range(count)]
        settings = Settings(
            strategy=draw.choice(STRATEGY_NAMES),
            max_retries=draw.choice((0, 1, 3, 5, 5)),
            max_stall=draw.choice((30.0, 300.0, 300.0)),
            retry_ratio=draw.choice((1.0, 1.0, 0.2)),
            checked=True,
        )
        calm = draw.random() < 0.3
        self.simulation = Simulation(seed, instances, [self._behaviour(calm) for _ in instances], settings)
        self._load(draw.choice((5, 20, 40, 90)), draw.choice((0.5, 5.0, 60.0)))
        self._user()

    def run(self) -> "World":
        """Simulate it to the end, and check what must hold then."""
        self.simulation.run()
        self._check()
        return self

    def _instance(self, number: int) -> Instance:
        draw = self._random
        options: dict[str, Any] = {
            "provider": draw.choice(("openai", "anthropic", "groq")),
            "tasks": frozenset(task for task in TASKS if draw.random() < 0.7),
            "max_concurrency": draw.choice((1, 2, 4, 8, 64)),
            "attempt_timeout": draw.choice((5.0, 30.0, 180.0)),
            "rpm": draw.choice((None, None, None, 1, 10, 60, 240)),
            "tpm": draw.choice((None, None, None, None, 500, 5000)),
            "weight": draw.choice((1.0, 1.0, 0.5, 3.0)),
            "priority": draw.choice((0, 0, 0, 1, 2)),
        }
        return instance(number, **options)

    def _behaviour(self, calm: bool) -> Behaviour:
        draw = self._random
        chances: dict[Kind, float] = {}
        if not calm:
            for kind in draw.sample(KINDS, draw.randint(0, 3)):
                chances[kind] = draw.choice((0.01, 0.1, 0.3)) if kind not in ("denied", "quota") else 0.01
        outages = []
        if draw.random() < 0.4:
            begin = draw.uniform(0.0, 60.0)
            length = draw.choice((2.0, 10.0, 60.0, 400.0))
            outages.append(Outage(begin, begin + length, draw.choice(KINDS)))
        if draw.random() < 0.05:
            outages = [Outage(0.0, math.inf, draw.choice(KINDS))]
        return Behaviour(
            service=draw.choice((0.1, 1.0, 1.0, 4.0)),
            chances=chances,
            outages=tuple(outages),
            ceiling=draw.choice((None, None, 1, 3, 10)),
            rate=draw.choice((None, None, None, Rate(2, 2.0), Rate(30, window=60.0, charged=True))),
            retry_after=draw.choice((0.0, 0.35, 2.0, 30.0, 86400.0)),
        )

    def _load(self, requests: int, span: float) -> None:
        draw, simulation = self._random, self.simulation
        timeout = draw.choice((None, None, 5.0, 30.0, 300.0))
        for _ in range(requests):
            task = draw.choice((None, *TASKS))
            own = draw.choice((timeout, timeout, timeout, 0.5, None))
            simulation.clock.at(
                simulation.began + draw.uniform(0.0, span), self._request, task, own, draw.choice((0, 100, 3000))
            )

    def _request(self, task: str | None, timeout: float | None, size: int) -> None:
        flight = self.simulation.request(task, timeout, size)
        if self._random.random() < 0.05:
            self.simulation.clock.at(
                self.simulation.clock.now + self._random.uniform(0.0, 20.0), self.simulation.cancel, flight
            )

    def _user(self) -> None:
        """Disable and enable instances, and close the manager, at any time."""
        draw, simulation = self._random, self.simulation
        for number in simulation.servers:
            if draw.random() < 0.15:
                at = simulation.began + draw.uniform(0.0, 60.0)
                simulation.clock.at(at, simulation.set_enabled, number, False)
                if draw.random() < 0.7:
                    simulation.clock.at(at + draw.uniform(0.0, 60.0), simulation.set_enabled, number, True)
        if draw.random() < 0.1:
            simulation.clock.at(simulation.began + draw.uniform(0.0, 90.0), simulation.close)

    def _check(self) -> None:
        simulation = self.simulation
        for flight in simulation.flights:
            self._check_flight(flight)
        assert not simulation.scheduler.waiters, "somebody still waits"
        assert all(state.in_flight == 0 for state in simulation.scheduler.states.values()), "a place is lost"
        assert all(server.busy == 0 for server in simulation.servers.values())
        bound = 100 + simulation.answered * simulation.settings.retry_ratio + simulation.seconds
        assert simulation.scheduler.budget.spent <= bound, "more retries than the budget allows"
        assert simulation.counted <= simulation.scheduler.budget.spent + len(simulation.flights), "unpaid retries"

    def _check_flight(self, flight: Flight) -> None:
        k, retries = len(self.simulation.servers), self.simulation.settings.max_retries
        assert len(flight.results) == 1, f"request {flight.number} has {len(flight.results)} results"
        assert flight.wire <= 1 + retries + (k + MAX_HOPS if retries else 0), "more attempts than allowed"
        refused, hops = min(flight.unsent, k), min(flight.hops, MAX_HOPS)
        assert flight.wire - refused - hops <= 1 + retries, "more counted attempts than allowed"


def run_world(seed: int) -> str:
    """Run the world of `seed` and return the digest of its events; whatever goes wrong names the seed."""
    try:
        return World(seed).run().simulation.digest
    except Exception as exc:
        exc.add_note(f"the world of seed {seed}: python -m tests.simulation --seed {seed}")
        raise
