"""When one instance may be sent its next attempt: its declared limits, and what its provider says of others.

Declared `rpm` and `tpm` are kept exactly, by a sliding log of what was started and not refused. After a refusal under
the declared limit starts are paced as well. The provider's headers can only make it stricter. Pure; guarded by the
pool's lock; `now` is the monotonic clock's and never goes back.
"""

from collections.abc import Sequence

from flyllm._routing.headroom import Headroom
from flyllm._routing.pacing import Pace
from flyllm._routing.start_log import StartCount, StartLog, Ticket
from flyllm.providers.rate_limit_headers import Allowance

__all__ = ["RateLimits", "Ticket"]


class RateLimits:
    """The limits of one instance: requests and tokens per minute, None where none is declared.

    Every `start` is followed by at most one of `settle`, `refuse` and `refund`. An attempt of more tokens than `tpm`
    is admitted when nothing else was started within the minute: else it never would be.
    """

    __slots__ = ("_headroom", "_log", "_pace", "_rpm", "_tpm")

    def __init__(self, rpm: int | None, tpm: int | None) -> None:
        self._rpm, self._tpm = rpm, tpm
        self._log = StartLog() if rpm is not None or tpm is not None else StartCount()
        self._pace = Pace(rpm) if rpm is not None else None
        self._headroom = Headroom()

    def ready_at(self, charge: int, now: float) -> float:
        """Return the earliest time, `now` or later, at which an attempt of `charge` tokens may start."""
        ready = max(now, self._headroom.ready_at(charge))
        if isinstance(self._log, StartCount):
            return ready
        if self._rpm is not None and self._pace is not None:
            ready = max(ready, self._log.free_at(self._rpm), self._pace.ready_at())
        if self._tpm is not None:
            ready = max(ready, self._log.affordable_at(charge, self._tpm))
        return ready

    def start(self, charge: int, now: float) -> Ticket:
        """Book an attempt of `charge` tokens, for which it is time."""
        ticket = self._log.start(charge, now)
        self._headroom.start(charge, now)
        if self._pace is not None:
            self._pace.start(now)
        return ticket

    def settle(self, ticket: Ticket, tokens: int | None, now: float) -> None:
        """Charge a finished attempt the `tokens` it really took; None leaves the estimate."""
        if tokens is not None:
            self._log.charge(ticket, tokens)

    def refuse(self, ticket: Ticket, now: float) -> None:
        """Take an attempt out that was answered 429: what the provider did not accept does not use up its limit."""
        self._log.remove(ticket)
        if self._pace is not None:
            self._pace.refused(now)

    def refund(self, ticket: Ticket) -> None:
        """Take an attempt out that certainly never reached the provider."""
        self._log.remove(ticket)
        self._headroom.refund(ticket)

    def observe(self, told: Sequence[Allowance], ticket: Ticket, now: float) -> None:
        """Take in what the reply to an attempt has `told` of the provider's limits."""
        if told and self._headroom.newer(ticket):
            self._headroom.tell(told, ticket, self._log.since(ticket), now)
