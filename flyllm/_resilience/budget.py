"""How many retries a manager may make: bounded by successes and time, so that a bad day is not made worse.

A token bucket as in Finagle and the SRE book ("Handling Overload": retries at most in proportion to requests), with
one difference: a retry without a token waits for one, it is never dropped.
"""

RESERVE = 100.0
"""Tokens at the start and at most (Finagle's minimum of 10 per second over 10 s)."""

PER_SECOND = 1.0

WHOLE = 1.0 - 1e-9
"""A token, less what rounding may take of it: else the wait for one could end a moment before it is there."""


class RetryBudget:
    """The bucket. `ratio` tokens come in per success: 1.0 bounds wire calls to twice the requests (SRE's K = 2)."""

    __slots__ = ("_at", "_ratio", "_tokens", "deferred", "spent")

    def __init__(self, now: float, ratio: float = 1.0) -> None:
        self._tokens, self._at, self._ratio = RESERVE, now, ratio
        self.spent = self.deferred = 0

    def tokens(self, now: float) -> float:
        """Return the tokens there are."""
        return min(RESERVE, self._tokens + (now - self._at) * PER_SECOND)

    def succeeded(self, now: float) -> None:
        """Take in a success."""
        self._settle(now)
        self._tokens = min(RESERVE, self._tokens + self._ratio)

    def take(self, now: float) -> float:
        """Spend a token and return 0, or return the seconds until there will be one."""
        self._settle(now)
        if self._tokens >= WHOLE:
            self._tokens = max(0.0, self._tokens - 1.0)
            self.spent += 1
            return 0.0
        self.deferred += 1
        return (1.0 - self._tokens) / PER_SECOND

    def _settle(self, now: float) -> None:
        self._tokens, self._at = self.tokens(now), now
