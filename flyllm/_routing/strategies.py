"""Which of several admissible instances takes the next request. Pure: a choice over views, nothing is changed.

A strategy of your own is any object with `select(candidates)` that returns one of the candidates.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from math import exp, inf
from operator import attrgetter, mul
from typing import Any, Protocol, TypeVar

from flyllm._clock import Clock
from flyllm._routing.instance import InstanceView
from flyllm._routing.stats import TAU
from flyllm._routing.turns import Turns

View = TypeVar("View", bound=InstanceView)

_STAMP, _WEIGHT = attrgetter("last_selected"), attrgetter("weight")

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
        self._candidates: Sequence[InstanceView] = ()
        self._sums: list[float] = []  # of their weights, up to each of them

    def select(self, candidates: Sequence[View]) -> View:
        """Return a random candidate."""
        if candidates is not self._candidates or not isinstance(candidates, tuple):
            self._candidates, self._sums = candidates, list(accumulate(map(_WEIGHT, candidates)))
        at = bisect_right(self._sums, self._clock.uniform(0.0, self._sums[-1]))
        return candidates[min(at, len(candidates) - 1)]  # a draw may be its upper bound


class LowestLatency:
    """The one expected to answer first: latency times (1 + load); unmeasured ones count as their peers' median.

    A latency fades with idleness, so that an instance once slow is tried again.
    """

    name = "lowest_latency"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def select(self, candidates: Sequence[View]) -> View:
        """Return the candidate with the lowest expected latency, among equals the least recently selected."""
        now = self._clock.monotonic()
        latencies = [
            it if (it := c.latency) is None or (at := c.latency_updated) >= now else it * exp((at - now) / TAU)
            for c in candidates
        ]
        assumed = _median(latencies) if None in latencies else UNMEASURED
        seconds = [assumed if latency is None else latency for latency in latencies]
        loads = [1.0 + c.in_flight / c.max_concurrency if c.in_flight else 1.0 for c in candidates]
        expected = list(map(mul, seconds, loads))
        lowest = min(expected)
        return min([c for c, each in zip(candidates, expected, strict=True) if each == lowest], key=_STAMP)


class RoundRobin:
    """In turn, smoothly by weight: over the sum of the weights everyone is chosen exactly as often as its weight says.

    The smooth weighted round robin of nginx: everyone's score grows by its weight, the highest is chosen and pays all.
    """

    name = "round_robin"

    def __init__(self, clock: Clock) -> None:
        self._scores: dict[int, float] = {}  # without those of the turns
        self._turns: Turns[Any] | None = None

    def _weight(self, candidate: InstanceView) -> float:
        return 1.0

    def select(self, candidates: Sequence[View]) -> View:
        """Return the candidate whose turn it is. Called under the pool's lock, which guards the scores."""
        turns, self._turns = self._turns, None  # begun anew where an interrupt ends this halfway
        if turns is None or turns.candidates is not candidates or not isinstance(candidates, tuple):
            self._scores.update(turns.scores() if turns is not None else ())
            turns = Turns(candidates, self._scores, self._weight)
        chosen: View = turns.next()
        self._turns = turns
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
        best, lowest, stamp = candidates[0], inf, 0
        for candidate in candidates:
            load = (candidate.in_flight + 1) / candidate.weight
            if load < lowest or (load == lowest and candidate.last_selected < stamp):
                best, lowest, stamp = candidate, load, candidate.last_selected
        return best


def _median(latencies: Sequence[float | None]) -> float:
    """Return the median of those that were measured, a guess where none was."""
    measured = sorted(latency for latency in latencies if latency is not None)
    middle = len(measured) // 2
    if not measured:
        return UNMEASURED
    return measured[middle] if len(measured) % 2 else (measured[middle - 1] + measured[middle]) / 2


_STRATEGIES: dict[str, Callable[[Clock], Strategy]] = {
    strategy.name: strategy for strategy in (LeastRecentlyUsed, RoundRobin, Weighted, Random, LeastBusy, LowestLatency)
}
STRATEGY_NAMES: tuple[str, ...] = tuple(_STRATEGIES)


def strategy_named(name: str, clock: Clock) -> Strategy:
    """Return a new strategy; KeyError for a name not in `STRATEGY_NAMES`."""
    return _STRATEGIES[name](clock)
