"""Which of several admissible instances takes the next request. Pure: a choice over views, nothing is changed.

A strategy of your own is any object with `select(candidates)` that returns one of the candidates.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from statistics import median
from typing import Protocol, TypeVar

from flyllm._clock import Clock
from flyllm._routing.instance import InstanceView
from flyllm._routing.stats import decayed

View = TypeVar("View", bound=InstanceView)

_STAMP = attrgetter("last_selected")

UNMEASURED = 1.0
"""Seconds assumed for an instance when no instance has been measured yet."""


class Strategy(Protocol):
    """A way to choose. `candidates` is never empty."""

    def select(self, candidates: Sequence[View]) -> View:
        """Return the candidate that takes the next request."""


class LeastRecentlyUsed:
    """The one selected longest ago. Stamped at selection, so a burst spreads evenly."""

    name = "lru"

    def __init__(self, clock: Clock) -> None: ...

    def select(self, candidates: Sequence[View]) -> View:
        """Return the candidate with the oldest stamp."""
        return min(candidates, key=_STAMP)


class Random:
    """Any, with a chance as its weight says."""

    name = "random"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def select(self, candidates: Sequence[View]) -> View:
        """Return a random candidate."""
        point = self._clock.uniform(0.0, sum(candidate.weight for candidate in candidates))
        for candidate in candidates:
            point -= candidate.weight
            if point < 0.0:
                return candidate
        return candidates[-1]


class LowestLatency:
    """The one expected to answer first: latency times (1 + load); unmeasured ones count as their peers' median."""

    name = "lowest_latency"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def select(self, candidates: Sequence[View]) -> View:
        """Return the candidate with the lowest expected latency, among equals the least recently selected."""
        now = self._clock.monotonic()
        latencies = [None if (it := c.latency) is None else decayed(it, c.latency_updated, now) for c in candidates]
        measured = [latency for latency in latencies if latency is not None]
        assumed = median(measured) if measured else UNMEASURED
        loads = (1.0 + c.in_flight / c.max_concurrency for c in candidates)
        expected = [
            (assumed if latency is None else latency) * load for latency, load in zip(latencies, loads, strict=True)
        ]
        return _lowest(candidates, expected)


class RoundRobin:
    """In turn, smoothly by weight: over the sum of the weights everyone is chosen exactly as often as its weight says.

    The smooth weighted round robin of nginx: everyone's score grows by its weight, the highest is chosen and pays all.
    """

    name = "round_robin"

    def __init__(self, clock: Clock) -> None:
        self._scores: dict[int, float] = {}

    def _weight(self, candidate: InstanceView) -> float:
        return 1.0

    def select(self, candidates: Sequence[View]) -> View:
        """Return the candidate whose turn it is. Called under the pool's lock, which guards the scores."""
        scores, total = self._scores, 0.0
        for candidate in candidates:
            weight = self._weight(candidate)
            scores[candidate.id] = scores.get(candidate.id, 0.0) + weight
            total += weight
        chosen = max(candidates, key=lambda candidate: (scores[candidate.id], -candidate.last_selected))
        scores[chosen.id] -= total
        return chosen


class Weighted(RoundRobin):
    """In turn, as often as the instances' weights say."""

    name = "weighted"

    def _weight(self, candidate: InstanceView) -> float:
        return candidate.weight


class LeastBusy:
    """The one with the fewest attempts in flight for its weight."""

    name = "least_busy"

    def __init__(self, clock: Clock) -> None: ...

    def select(self, candidates: Sequence[View]) -> View:
        """Return the least busy candidate, among equals the least recently selected."""
        return _lowest(candidates, [(c.in_flight + 1) / c.weight for c in candidates])


def _lowest(candidates: Sequence[View], costs: Sequence[float]) -> View:
    """Return the candidate of the lowest cost, among equals the least recently selected."""
    lowest = min(costs)
    return min((c for c, cost in zip(candidates, costs, strict=True) if cost == lowest), key=_STAMP)


_STRATEGIES: dict[str, Callable[[Clock], Strategy]] = {
    strategy.name: strategy for strategy in (LeastRecentlyUsed, RoundRobin, Weighted, Random, LeastBusy, LowestLatency)
}
STRATEGY_NAMES: tuple[str, ...] = tuple(_STRATEGIES)


def strategy_named(name: str, clock: Clock) -> Strategy:
    """Return a new strategy; KeyError for a name not in `STRATEGY_NAMES`."""
    return _STRATEGIES[name](clock)
