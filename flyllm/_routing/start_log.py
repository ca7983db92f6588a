"""The attempts started within the last minute, and what they are charged: an exact sliding log.

A minute counted by the wall clock would let twice the limit pass at its edge. Guarded by the pool's lock.
"""

import math
from collections import OrderedDict
from itertools import islice

SPAN = 60.5
"""Seconds an attempt stays: limits are per minute, and an attempt reaches its provider a little after it was booked,
so two that start a minute apart may arrive closer than that."""


class Ticket:
    """One attempt: its number in the order of starts, when that was (monotonic clock), and the tokens it is charged."""

    __slots__ = ("__weakref__", "at", "charge", "number")

    def __init__(self, number: int, at: float, charge: int) -> None:
        self.number, self.at, self.charge = number, at, charge


class StartCount:
    """A log that keeps nothing: for an instance without declared limits, of which only the provider may speak.

    Of attempts it tells how many were started; what became of them it does not know.
    """

    __slots__ = ("_started",)

    def __init__(self) -> None:
        self._started = 0

    def start(self, charge: int, now: float) -> Ticket:
        """Count an attempt that starts now."""
        self._started += 1
        return Ticket(self._started, now, charge)

    def remove(self, ticket: Ticket) -> None:
        """Do nothing: it was started."""

    def charge(self, ticket: Ticket, tokens: int) -> None:
        """Do nothing."""

    def since(self, ticket: Ticket) -> tuple[int, int]:
        """Return how many attempts were started after `ticket`, and no tokens: nobody counts them."""
        return self._started - ticket.number, 0


class StartLog:
    """Tickets in the order of their starts; `tokens` is the sum of their charges."""

    __slots__ = ("_started", "_tickets", "tokens")

    def __init__(self) -> None:
        self._tickets: OrderedDict[Ticket, None] = OrderedDict()
        self._started = self.tokens = 0

    def __len__(self) -> int:
        return len(self._tickets)

    def start(self, charge: int, now: float) -> Ticket:
        """Put an attempt that starts now at the end, and drop what is older than the span."""
        self._forget(now)
        self._started += 1
        ticket = Ticket(self._started, now, charge)
        self._tickets[ticket] = None
        self.tokens += charge
        return ticket

    def remove(self, ticket: Ticket) -> None:
        """Take `ticket` out, if it is still there."""
        if ticket in self._tickets:
            del self._tickets[ticket]
            self.tokens -= ticket.charge

    def charge(self, ticket: Ticket, tokens: int) -> None:
        """Charge `ticket`, if it is still there, `tokens` from now on."""
        if ticket in self._tickets:
            self.tokens += tokens - ticket.charge
            ticket.charge = tokens

    def _forget(self, now: float) -> None:
        while self._tickets and next(iter(self._tickets)).at + SPAN <= now:
            self.tokens -= self._tickets.popitem(last=False)[0].charge

    def free_at(self, rpm: int) -> float:
        """Return when fewer than `rpm` tickets are left; past where they are already."""
        surplus = len(self._tickets) - rpm
        return next(islice(self._tickets, surplus, None)).at + SPAN if surplus >= 0 else -math.inf

    def affordable_at(self, charge: int, tpm: int) -> float:
        """Return when `charge` fits into `tpm` beside what is left, or nothing is left.

        Looks at as many tickets as have to go first: one or two among requests of similar size.
        """
        missing, at = self.tokens + charge - tpm, -math.inf
        for ticket in self._tickets:
            if missing <= 0:
                break
            missing -= ticket.charge
            at = ticket.at + SPAN
        return at

    def since(self, ticket: Ticket) -> tuple[int, int]:
        """Return how many attempts were started after `ticket`, and the sum of their charges."""
        count = tokens = 0
        for later in reversed(self._tickets):
            if later.number <= ticket.number:
                break
            count += 1
            tokens += later.charge
        return count, tokens
