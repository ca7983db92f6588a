"""How many attempts a manager may make beside others: one for twenty answers, and none before those.

Hedging is for the slowest few of a hundred answers. Where more are slow, second attempts would only make it worse.
"""

SHARE = 0.05
"""Tokens that come in per success."""

MOST = 10.0
"""Tokens that can be saved up: so many hedges at once."""


class HedgeBudget:
    """The bucket. Guarded by the pool's lock."""

    __slots__ = ("_tokens",)

    def __init__(self) -> None:
        self._tokens = 0.0

    @property
    def allows_one(self) -> bool:
        """Whether there is a token."""
        return self._tokens >= 1.0

    def succeeded(self) -> None:
        """Take in a success."""
        self._tokens = min(MOST, self._tokens + SHARE)

    def spend(self) -> None:
        """Take a token."""
        self._tokens -= 1.0
