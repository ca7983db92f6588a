"""How the simulated providers enforce a rate limit. Time comes in, in seconds of the world."""

from collections import deque
from typing import Protocol

from benchmarks.goodput.world import RateLimit


class Rate(Protocol):
    """An enforced limit."""

    def admit(self, now: float) -> bool:
        """Count a request and return whether it is served."""


class Bucket:
    """So many at once, refilled evenly; where refused requests are charged they take what had accumulated."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit, self._level, self._updated = limit, limit.burst, 0.0

    def admit(self, now: float) -> bool:
        """Take one unit if there is one."""
        refilled = self._level + (now - self._updated) * self._limit.per_second
        self._level, self._updated = min(self._limit.burst, refilled), now
        admitted = self._level >= 1.0
        if admitted or self._limit.charge_refused:
            self._level = max(0.0, self._level - 1.0)
        return admitted


class Window:
    """At most `burst` in any stretch of a length that follows from the rate; `tolerance` seconds less are taken."""

    def __init__(self, limit: RateLimit, tolerance: float) -> None:
        self._limit = limit
        self._seconds = limit.burst / limit.per_second - tolerance
        self._log: deque[float] = deque()

    def admit(self, now: float) -> bool:
        """Log one request if there is room."""
        while self._log and self._log[0] <= now - self._seconds:
            self._log.popleft()
        admitted = len(self._log) < self._limit.burst
        if admitted or self._limit.charge_refused:
            self._log.append(now)
        return admitted


def rate_of(limit: RateLimit, tolerance: float) -> Rate:
    """Return a fresh enforcement of `limit`."""
    return Bucket(limit) if limit.kind == "bucket" else Window(limit, tolerance)
