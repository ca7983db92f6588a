"""Evenly spaced starts for a provider that cuts its minute into slices: the generic cell rate algorithm.

"60 RPM may be enforced as 1 request per second" (docs.claude.com/en/api/rate-limits; help.openai.com says the same).
Pacing from the start would cost a small batch most of its speed where a full minute's burst is granted, so it begins
with the first refusal under the declared limit. Guarded by the pool's lock.
"""

import math

LASTS = 600.0
"""Seconds that starts are paced after a refusal."""

_ROUNDING = 1e-6


class Pace:
    """The pace of one instance with a declared `rpm`: one start every 60/rpm s, at most rpm/60 (or one) at once."""

    __slots__ = ("_due", "_gap", "_slack", "_until")

    def __init__(self, rpm: int) -> None:
        self._gap = 60.0 / rpm
        self._slack = (max(1, rpm // 60) - 1) * self._gap + _ROUNDING
        self._due = self._until = -math.inf

    def refused(self, now: float) -> None:
        """Begin to pace, or go on for longer. The burst counts as used up, or nothing would have been refused."""
        if now >= self._until:
            self._due = now + self._gap + self._slack
        self._until = now + LASTS

    def ready_at(self) -> float:
        """Return when a start is in pace."""
        return min(self._due - self._slack, self._until)

    def start(self, now: float) -> None:
        """Count a start. It is never taken back: what follows it was spaced by it."""
        if now < self._until:
            self._due = max(now, self._due) + self._gap
