"""How many attempts an instance bears at once: learned from its refusals, not configured.

A 429 without a waiting time says "not so many at once": the ceiling falls to what is still in flight, which is what
the provider has accepted, and grows back slowly (the congestion control of TCP; Netflix's concurrency-limits).
Cooling the whole instance instead destroys batches: it leaves accepted capacity idle.
"""

from flyllm._clock import Clock

QUIET = 5.0
"""Seconds after a refusal before the ceiling grows again."""

LONG_QUIET = 30.0
"""Seconds after a refusal from which it grows four times as fast."""

MAX_COOL = 30.0


class Ceiling:
    """The ceiling of one instance. Guarded by the pool's lock."""

    __slots__ = ("_cut_at", "_grown", "_last_refusal", "_maximum", "_strikes", "_successes_since_cut", "limit")

    def __init__(self, maximum: int) -> None:
        self.limit = self._maximum = maximum
        self._cut_at = self._last_refusal = float("-inf")
        self._grown = 0
        self._strikes = 0
        self._successes_since_cut = 0

    def refused(self, in_flight: int, sent_at: float, now: float, clock: Clock) -> float:
        """Take in a refusal while `in_flight` others are under way; return seconds to cool the instance, often 0.

        Refusals of attempts sent before the last cut tell nothing new: they were under way when it was made.
        """
        self._last_refusal, self._grown = now, 0
        self.limit = max(1, min(self.limit, in_flight))
        if sent_at >= self._cut_at:
            self._strikes = 0 if self._successes_since_cut else self._strikes + 1
            self._cut_at, self._successes_since_cut = now, 0
        if in_flight > 0 and self._strikes < 2:
            return 0.0
        return clock.uniform(0.5, 1.0) * min(MAX_COOL, 2.0 ** min(self._strikes, 16))

    def succeeded(self, in_flight: int, now: float) -> None:
        """Take in a success while `in_flight` attempts, itself included, were under way."""
        self._successes_since_cut += 1
        quiet = now - self._last_refusal
        if self.limit >= self._maximum or quiet < QUIET or in_flight + 1 < self.limit / 2:
            return
        self._grown += 1
        if self._grown >= (self.limit / 4 if quiet >= LONG_QUIET else self.limit):
            self._grown = 0
            self.limit += 1

    def restart(self) -> None:
        """Begin at one: the instance is alive again, how much it bears is unknown."""
        self.limit = 1
