"""What the provider last said is left of its limits, less what was started since.

Its word also covers what we cannot count: other processes with the same key, limits that nobody declared.
The reply to the request that was sent last knows most; those to earlier ones add nothing. Guarded by the pool's lock.
"""

from collections.abc import Sequence

from flyllm.providers.rate_limit_headers import Allowance, Unit

MINUTE = 60.0

LONGEST = 300.0
"""Seconds after which a word no longer counts, whatever its reset, as with Retry-After (Linkerd's)."""

TOLERANCE = 2.0
"""Seconds by which a told reset may miss the computed one: times of whole seconds, rounded twice."""


class _Left:
    """What is left of one limit: `amount` as of `since`, all of it again at `until`, `refill` a second in between."""

    __slots__ = ("amount", "refill", "since", "unit", "until")

    def __init__(self, told: Allowance, amount: float, now: float) -> None:
        self.unit, self.amount, self.since = told.unit, amount, now
        self.until = now + (MINUTE if told.reset is None else min(told.reset, LONGEST))
        self.refill = _refill(told)

    def ready_at(self, need: int) -> float:
        missing = need - self.amount
        if missing <= 0:
            return float("-inf")
        return min(self.until, self.since + missing / self.refill) if self.refill else self.until


class Headroom:
    """What is left of all limits that the provider speaks of."""

    __slots__ = ("_left", "_sent_at")

    def __init__(self) -> None:
        self._left: dict[str, _Left] = {}
        self._sent_at = float("-inf")

    def newer(self, sent_at: float) -> bool:
        """Whether the reply to a request of `sent_at` knows more than what is known."""
        return sent_at >= self._sent_at

    def tell(self, told: Sequence[Allowance], started: tuple[int, int], sent_at: float, now: float) -> None:
        """Take the provider's word, from the reply to a request of `sent_at`; `started`: requests, tokens since then."""
        self._sent_at = sent_at
        for allowance in told:
            spent = {Unit.REQUESTS: started[0], Unit.TOKENS: started[1], Unit.PART: 0}[allowance.unit]
            if allowance.unit is Unit.PART and allowance.remaining >= 1:
                self._left.pop(allowance.name, None)
            else:
                self._left[allowance.name] = _Left(allowance, allowance.remaining - spent, now)

    def ready_at(self, charge: int) -> float:
        """Return when an attempt of `charge` tokens has room under every limit."""
        if not self._left:
            return float("-inf")
        return max(left.ready_at(_need(left.unit, charge)) for left in self._left.values())

    def start(self, charge: int) -> None:
        """Take an attempt off."""
        for left in self._left.values():
            left.amount -= _need(left.unit, charge)

    def refund(self, charge: int, started_at: float) -> None:
        """Add an attempt again that the provider never saw."""
        if started_at > self._sent_at:
            for left in self._left.values():
                left.amount += _need(left.unit, charge)


def _need(unit: Unit, charge: int) -> int:
    return max(1, charge) if unit is Unit.TOKENS else 1


def _refill(told: Allowance) -> float:
    """Return units a second where the limit visibly refills evenly over a minute, 0.0 where it does not.

    Such providers (OpenAI, Anthropic: "continuously replenished") tell as the reset when the limit will be whole
    again, up to a minute, although the next request fits in much sooner.
    """
    if not told.limit or told.reset is None:
        return 0.0
    whole_in = (told.limit - told.remaining) / told.limit * MINUTE
    return told.limit / MINUTE if abs(told.reset - whole_in) <= TOLERANCE else 0.0
