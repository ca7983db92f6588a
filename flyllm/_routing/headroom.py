"""What the provider last said is left of its limits, less what was started since.

Its word also covers what we cannot count: other processes with the same key, limits that nobody declared.
The reply to the request that was sent last knows most; those to earlier ones add nothing. Guarded by the pool's lock.
"""

import math
from collections.abc import Sequence

from flyllm._routing.start_log import Ticket
from flyllm.providers.rate_limit_headers import Allowance, Unit

MINUTE = 60.0

LONGEST = 300.0
"""Seconds after which a word no longer counts, whatever its reset, as with Retry-After (Linkerd's)."""

TOLERANCE = 2.0
"""Seconds by which a told reset may miss the computed one: times of whole seconds, rounded twice."""


class _Left:
    """What is left of one limit: `amount` as of `since`, all of it again at `until`, `refill` a second in between."""

    __slots__ = ("amount", "limit", "refill", "since", "unit", "until")

    def __init__(self, told: Allowance, amount: float, now: float) -> None:
        self.unit, self.limit, self.amount, self.since = told.unit, told.limit or math.inf, amount, now
        self.until = now + (MINUTE if told.reset is None else min(told.reset, LONGEST))
        self.refill = _refill(told)

    def ready_at(self, need: int) -> float:
        missing = need - self.amount
        if missing <= 0:
            return -math.inf
        return min(self.until, self.since + missing / self.refill) if self.refill else self.until

    def take(self, need: int, now: float) -> None:
        if now >= self.until:  # or all that waited for it would start at once
            self.amount, self.since, self.until = self.limit, now, now + MINUTE
        self.amount -= need


class Headroom:
    """What is left of all limits that the provider speaks of."""

    __slots__ = ("_known", "_left")

    def __init__(self) -> None:
        self._left: dict[str, _Left] = {}
        self._known = 0  # the number of the ticket whose reply knew it

    def newer(self, ticket: Ticket) -> bool:
        """Whether the reply to an attempt knows more than what is known."""
        return ticket.number >= self._known

    def tell(self, told: Sequence[Allowance], ticket: Ticket, since: tuple[int, int], now: float) -> None:
        """Take the provider's word in the reply to an attempt, after which `since` requests and tokens were started."""
        self._known = ticket.number
        for allowance in told:
            if allowance.unit is Unit.PART and allowance.remaining >= 1:
                self._left.pop(allowance.name, None)
            else:
                spent = since[1] if allowance.unit is Unit.TOKENS else since[0]
                self._left[allowance.name] = _Left(allowance, allowance.remaining - spent, now)

    def ready_at(self, charge: int) -> float:
        """Return when an attempt of `charge` tokens has room under every limit."""
        if not self._left:
            return -math.inf
        return max(left.ready_at(_need(left.unit, charge)) for left in self._left.values())

    def start(self, charge: int, now: float) -> None:
        """Take an attempt off."""
        for left in self._left.values():
            left.take(_need(left.unit, charge), now)

    def refund(self, ticket: Ticket) -> None:
        """Add an attempt again that the provider never saw."""
        if ticket.number > self._known:
            for left in self._left.values():
                left.amount += _need(left.unit, ticket.charge)


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
