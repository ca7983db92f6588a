"""How long 2,000 requests take: by flyllm and by hand in turns, on new connections each time."""

import gc
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time
from typing import Any

from benchmarks.bare import bare_wall
from benchmarks.batches.ways import Way, by_flyllm, by_own_clients, by_shared_client
from benchmarks.machine import Load
from benchmarks.processes import Child

DELAY = 0.1
"""Seconds in which the server answers."""

WAYS: Mapping[str, Way] = {"flyllm": by_flyllm, "shared": by_shared_client, "own": by_own_clients}
"""flyllm, and the SDK by hand with one client for all threads and with a client for each."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds of one run: `wall` of real time, `cpu` of this process."""

    wall: float
    cpu: float


Round = Mapping[str, Taken]
"""One run in each way."""


@dataclass(frozen=True, slots=True)
class Walls:
    """All rounds with so many `workers`.

    Attributes:
        bare: seconds by plain sockets.
        server: what it says of all rounds.
        others: share of all processors that other processes took meanwhile; None where unknown.
    """

    workers: int
    requests: int
    bare: float
    rounds: Sequence[Round]
    server: Mapping[str, Any]
    others: float | None

    @property
    def ideal(self) -> float:
        """The wall time of a client that costs nothing."""
        return self.requests * DELAY / self.workers

    @property
    def ratio(self) -> float:
        """What binds (the ideal, or the better way by hand where that is longer) / flyllm: median of the rounds."""
        return min(self._ratio("shared"), self._ratio("own"))

    def _ratio(self, way: str) -> float:
        # One for each round, because a processor's speed changes all the time.
        return median(max(self.ideal, taken[way].wall) / taken["flyllm"].wall for taken in self.rounds)

    def wall(self, way: str) -> float:
        """The median wall time of a way."""
        return median(taken[way].wall for taken in self.rounds)

    def cpu(self, way: str) -> float:
        """The median processor seconds per request of a way, in this process."""
        return median(taken[way].cpu for taken in self.rounds) / self.requests


def measure_walls(server: Child, url: str, requests: int, workers: int, rounds: int) -> Walls:
    """Have `requests` answered in every way, `rounds` times."""
    prompts = [f"What is the capital of country {number}?" for number in range(requests)]
    bare = bare_wall(url, requests, workers)
    server.ask()
    load = Load()
    taken = [_round(url, prompts, workers, number) for number in range(rounds)]
    told = server.ask()
    return Walls(workers, requests, bare, taken, told, _others(load, told["cpu"]))


def _others(load: Load, served: float) -> float | None:
    seconds, own, everyone = load.taken()
    return None if everyone is None else max(0.0, everyone - own - served) / seconds / (os.cpu_count() or 1)


def warm_up(url: str) -> None:
    """Let every way do once what is only done once: imports, schemas, headers."""
    for way in WAYS.values():
        _run(way, url, ["Hi"] * 8, 4)


def _round(url: str, prompts: Sequence[str], workers: int, number: int) -> Round:
    names = list(WAYS)[:: 1 if number % 2 else -1]
    return {name: _run(WAYS[name], url, prompts, workers) for name in names}


def _run(way: Way, url: str, prompts: Sequence[str], workers: int) -> Taken:
    with way(url, workers, "openai") as run:
        gc.collect()  # the garbage of the other ways
        began, cpu = perf_counter(), process_time()
        run(prompts)
        return Taken(perf_counter() - began, process_time() - cpu)
