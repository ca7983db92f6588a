"""T*: the shortest time in which a set of instances could serve a batch. Pure arithmetic.

A fluid and clairvoyant bound: work is divisible, faults are known beforehand, and finding out costs nothing.
So it can be approached and never beaten, and time over T* is a conservative ratio.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_NEVER = 1e9
"""Seconds after which a batch that is still not served is taken to be impossible."""
_PRECISION = 1e-6


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit: so many units at once, then so many per second.

    cost: units that one request takes. `per_attempt`: failed attempts take them as well as successes.
    """

    burst: float
    per_second: float
    cost: float = 1.0
    per_attempt: bool = True


@dataclass(frozen=True, slots=True)
class Supply:
    """What one instance can give.

    Attributes:
        slots: requests at once, the lower of the client's cap and the provider's ceiling.
        service: mean seconds of a success.
        error_rate, error_seconds: probability of an error, and how long one takes.
        down: intervals without service, disjoint and ascending; the last may end at `math.inf`.
    """

    slots: float
    service: float
    error_rate: float = 0.0
    error_seconds: float = 0.0
    down: tuple[tuple[float, float], ...] = ()
    limits: tuple[Limit, ...] = ()

    @property
    def busy(self) -> float:
        """Seconds of a slot that a success takes, its share of the errors included."""
        return self.service + self.error_seconds * self.error_rate / (1.0 - self.error_rate)

    def uptime(self, until: float) -> float:
        """Return the seconds of service in [0, until]."""
        return until - sum(max(0.0, min(end, until) - min(begin, until)) for begin, end in self.down)

    def works_at(self, instant: float) -> bool:
        """Whether it serves at `instant` and right after."""
        return not any(begin <= instant < end for begin, end in self.down)

    def capacity(self, until: float) -> float:
        """Return how many successes it can give by `until`."""
        up = self.uptime(until)
        if up <= 0.0:
            return 0.0
        return min(self.slots * up / self.busy, *(self._allowed(limit, up) for limit in self.limits), math.inf)

    def _allowed(self, limit: Limit, up: float) -> float:
        units = (limit.burst + limit.per_second * up) / limit.cost
        return units * (1.0 - self.error_rate) if limit.per_attempt else units


def anywhere_up(supplies: Sequence[Supply], until: float) -> float:
    """Return the seconds in [0, until] in which one instance at least works: a thread can do nothing in the others."""
    if not all(supply.down for supply in supplies):
        return until
    edges = sorted({0.0, until, *(min(edge, until) for s in supplies for span in s.down for edge in span)})
    return sum(end - begin for begin, end in pairwise(edges) if any(s.works_at(begin) for s in supplies))


def served(supplies: Sequence[Supply], workers: int, until: float) -> float:
    """Return how many successes `workers` threads can get by `until`: a fractional knapsack, the fastest first."""
    left, total = workers * anywhere_up(supplies, until), 0.0
    for supply in sorted(supplies, key=lambda s: s.busy):
        taken = min(supply.capacity(until), left / supply.busy)
        total += taken
        left -= taken * supply.busy
    return total


def optimum(supplies: Sequence[Supply], workers: int, requests: int, longest: float = 0.0) -> float:
    """Return T* for `requests`, of which the longest alone takes `longest` seconds on its fastest instance.

    Raises:
        ValueError: they can never be served.
    """
    high = 1.0
    while served(supplies, workers, high) < requests:
        high *= 2.0
        if high > _NEVER:
            raise ValueError(f"{requests} requests cannot be served by these instances in any time")
    low = 0.0
    while high - low > _PRECISION * high:
        middle = (low + high) / 2.0
        if served(supplies, workers, middle) < requests:
            low = middle
        else:
            high = middle
    return max(high, longest)
