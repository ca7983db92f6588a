"""One provider from so many threads: in every way in turns, over connections that are open already."""

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time

from benchmarks.batches.ways import Way, by_flyllm, by_own_clients, by_sharded_clients, by_shared_client
from benchmarks.machine import Load
from benchmarks.processes import Child

DELAY = 0.1
"""Seconds in which the server answers."""

BY_HAND: Mapping[str, Way] = {"shared": by_shared_client, "sharded": by_sharded_clients, "own": by_own_clients}
"""One client for all threads, one for every eight, and one for each."""

WAYS: Mapping[str, Way] = {"flyllm": by_flyllm, **BY_HAND}


@dataclass(frozen=True, slots=True)
class Taken:
    """One run. Seconds of real time and of this process; connections `opened` before and during it; `failures`.

    A run in which anything failed has no time.
    """

    wall: float
    cpu: float
    warm: int
    opened: int
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One provider and number of threads. `server` is its share of a core, `others` that of other processes."""

    provider: str
    threads: int
    requests: int
    rounds: Sequence[Mapping[str, Taken]]
    server: float
    late: float
    others: float | None

    @property
    def ideal(self) -> float:
        """Seconds of a client that costs nothing."""
        return -(-self.requests // self.threads) * DELAY

    def wall(self, way: str) -> float:
        """The median of the runs that came to their end; infinite where none did."""
        return median([taken[way].wall for taken in self.rounds if not taken[way].failure] or [float("inf")])

    def cpu(self, way: str) -> float:
        """Seconds of processor time per request, the median."""
        return median([taken[way].cpu for taken in self.rounds]) / self.requests

    @property
    def best(self) -> str:
        """The arrangement by hand that is fastest."""
        return min(BY_HAND, key=self.wall)

    @property
    def ratio(self) -> float:
        """Throughput of flyllm / that of the best arrangement by hand: the median of those of each round."""
        best = self.best
        whole = [taken for taken in self.rounds if not taken["flyllm"].failure and not taken[best].failure]
        return median([taken[best].wall / taken["flyllm"].wall for taken in whole] or [0.0])

    @property
    def reused(self) -> float:
        """The share of flyllm's requests that went over a connection that was open already."""
        return 1 - sum(taken["flyllm"].opened for taken in self.rounds) / (self.requests * len(self.rounds))

    @property
    def failures(self) -> list[str]:
        """What failed of flyllm's."""
        return [taken["flyllm"].failure for taken in self.rounds if taken["flyllm"].failure]


def measure(provider: str, server: Child, url: str, threads: int, requests: int, rounds: int) -> Row:
    """Have `requests` answered in every way, `rounds` times."""
    server.ask()
    load, taken = Load(), []
    told: list[Mapping[str, float]] = []
    for number in range(rounds):
        names = list(WAYS)[:: 1 if number % 2 else -1]
        taken.append({name: _run(WAYS[name], provider, server, url, threads, requests, told) for name in names})
    seconds, own, everyone = load.taken()
    served = sum(each["cpu"] for each in told)
    walls = sum(each.wall for ways in taken for each in ways.values())
    others = None if everyone is None else max(0.0, everyone - own - served) / seconds
    late = max(each["late"] for each in told)
    return Row(provider, threads, requests, taken, served / walls, late, others)


def _run(
    way: Way, provider: str, server: Child, url: str, threads: int, requests: int, told: list[Mapping[str, float]]
) -> Taken:
    prompts = [f"What is the capital of country {number}?" for number in range(requests)]
    with way(url, threads, provider) as run:
        try:
            run(prompts[: 2 * threads])
        except Exception as error:
            return Taken(0.0, 0.0, server.ask()["connections"], 0, type(error).__name__)
        warm = server.ask()["connections"]
        gc.collect()  # the garbage of the other ways
        failure = ""
        began, cpu = perf_counter(), process_time()
        try:
            run(prompts)
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
        taken = perf_counter() - began, process_time() - cpu
        told.append(server.ask())
        return Taken(*taken, warm, int(told[-1]["connections"]), failure)
