"""What the calls of one provider cost: in every way in turns, over the same bytes."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Literal

from benchmarks.calls.peer import PEERS, WARM_UP
from benchmarks.calls.timing import Taken, settle, time_calls
from benchmarks.calls.ways import WAYS
from benchmarks.machine import Load
from benchmarks.processes import Child

Timing = Callable[[int], Taken]
"""Makes so many calls."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Calls of each way in a round, and rounds.

    Few and many: a processor's speed changes meanwhile, and the ways are to meet the same one.
    """

    calls: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Row:
    """One provider: what every way took in every round; "sdk" is by hand.

    server: the share of a core that the server took. others: the share of all processors that other processes took.
    """

    provider: str
    rounds: Sequence[Mapping[str, Taken]]
    server: float
    others: float | None
    versions: Mapping[str, str]

    def cost(self, way: str) -> Taken:
        """The medians of a way."""
        return Taken(*(median(figures) for figures in zip(*(taken[way] for taken in self.rounds), strict=True)))

    def ratio(self, way: str, clock: Literal["process", "wall"] = "process") -> float:
        """What a way takes / what the SDK by hand takes: the median of those of each round."""
        # One for each round, because a processor's speed changes all the time.
        place = Taken._fields.index(clock)
        return median(taken[way][place] / taken["sdk"][place] for taken in self.rounds)


def measure(provider: str, server: Child, url: str, plan: Plan, peers: str | None = None) -> Row:
    """Have `provider` asked in every way; by `peers`, the Python where other libraries are, as well."""
    with ExitStack() as stack:
        ways: dict[str, Timing] = {}
        for name, way in WAYS.items():
            ask = stack.enter_context(way(provider, url))
            ways[name] = lambda calls, ask=ask: time_calls(ask, calls)  # type: ignore[misc]
        versions = {}
        for name in PEERS if peers is not None else ():
            child = stack.enter_context(Child("benchmarks.calls.peer", name, url, python=peers or ""))
            versions[name] = child.hear()["version"]
            ways[name] = lambda calls, child=child: Taken(**child.ask(calls))  # type: ignore[misc]
        for time in ways.values():
            time(WARM_UP)
        settle()
        return _row(provider, ways, server, plan, versions)


def _row(provider: str, ways: Mapping[str, Timing], server: Child, plan: Plan, versions: Mapping[str, str]) -> Row:
    server.ask()
    load, rounds = Load(), []
    for number in range(plan.rounds):
        names = list(ways)[:: 1 if number % 2 else -1]
        rounds.append({name: ways[name](plan.calls) for name in names})
    served = server.ask()["cpu"]
    seconds, own, everyone = load.taken()
    peers = sum(taken.process for each in rounds for name, taken in each.items() if name in PEERS) * plan.calls
    others = None if everyone is None else max(0.0, everyone - own - served - peers) / seconds
    return Row(provider, rounds, served / seconds, others, versions)
