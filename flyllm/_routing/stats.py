"""How fast an instance answers: a peak-sensitive moving average of its latency.

The shape of Finagle's and Linkerd's peak-EWMA: a slower answer counts at once, a faster one gradually, so that an
instance that got slow is noticed by its first slow answer.
"""

import math
from collections import deque

TAU = 30.0
"""Seconds over which an old latency loses its weight."""

RECENT = 100
"""Answers that the 95th percentile is taken of."""

ENOUGH = 10

FAILURE_FLOOR = 5.0
"""Seconds that a failure counts at least, so that failing fast does not look like being fast (Linkerd's value)."""


class Latency:
    """Seconds an answer takes, as of `updated`. Guarded by the pool's lock.

    `value` has failures counted in, `answers` does not. None before the first.
    """

    __slots__ = ("_recent", "answers", "updated", "value")

    def __init__(self) -> None:
        self.value: float | None = None
        self.answers: float | None = None
        self.updated = 0.0
        self._recent: deque[float] = deque(maxlen=RECENT)

    def record(self, seconds: float, now: float, *, success: bool) -> None:
        """Take in one outcome."""
        weight = math.exp(-max(0.0, now - self.updated) / TAU)
        self.value = _averaged(self.value, seconds if success else max(seconds, FAILURE_FLOOR), weight)
        if success:
            self.answers = _averaged(self.answers, seconds, weight)
            self._recent.append(seconds)
        self.updated = now

    def at_least(self, seconds: float, now: float) -> None:
        """Take in that an answer would have taken longer than `seconds`."""
        if self.value is None or seconds > self.value:
            self.value, self.updated = seconds, now

    def usually_within(self) -> float | None:
        """Return the seconds within which 95 of 100 recent answers came; None where there are too few to tell."""
        if len(self._recent) < ENOUGH:
            return None
        return sorted(self._recent)[len(self._recent) * 95 // 100]


def _averaged(known: float | None, sample: float, weight: float) -> float:
    """Return the average with `sample`: at once where it is higher, else as the weight of the known says."""
    return sample if known is None or sample > known else known * weight + sample * (1.0 - weight)
