"""Outcomes of the recent past, counted in buckets of time."""

from collections import deque

SPAN = 30.0
"""Seconds an outcome counts (Linkerd's success-rate window)."""

BUCKETS = 10


class Window:
    """How many of the attempts of the last 30 s failed. Guarded by the pool's lock."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: deque[list[int]] = deque()  # [slot, attempts, failures], oldest first

    def record(self, now: float, *, failed: bool) -> None:
        """Count one outcome."""
        slot = int(now * BUCKETS / SPAN)
        if not self._buckets or self._buckets[-1][0] != slot:
            self._buckets.append([slot, 0, 0])
            if len(self._buckets) > BUCKETS:
                self._buckets.popleft()
        self._buckets[-1][1] += 1
        self._buckets[-1][2] += failed

    def counts(self, now: float) -> tuple[int, int]:
        """Return attempts and failures within the span."""
        oldest = int(now * BUCKETS / SPAN) - BUCKETS
        while self._buckets and self._buckets[0][0] <= oldest:
            self._buckets.popleft()
        return sum(b[1] for b in self._buckets), sum(b[2] for b in self._buckets)

    def clear(self) -> None:
        """Forget everything."""
        self._buckets.clear()
