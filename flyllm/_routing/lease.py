"""The right to make one attempt at one instance, closed exactly once with a report of what came of it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from flyllm._resilience.classification import Signal, Verdict, classify
from flyllm._routing.instance import Demand, Instance
from flyllm._routing.limits import Ticket
from flyllm.errors import LLMError, RequestError
from flyllm.observability.events import InstanceEvent
from flyllm.providers.rate_limit_headers import Allowance, allowances
from flyllm.types import TokenUsage

_GOOD = Verdict(retry=False, signal=Signal.GOOD)
_SLOW = Verdict(retry=False, signal=Signal.SLOW)
_UNKNOWN = TokenUsage()
_NOTHING = Verdict(retry=False, signal=Signal.NONE)


@dataclass(frozen=True, slots=True)
class Report:
    """What an attempt tells about its instance.

    Attributes:
        verdict: of its error; a good one for an answer, an empty one for an attempt that was given up.
        seconds: how long it took.
        usage: the tokens it took, as far as anybody counted.
        told: what the reply's headers say is left of the provider's limits.
        sent: whether anything may have reached the provider.
        aside: whether it was asked for something beside answers: that it refuses it says nothing of what else it does.
    """

    verdict: Verdict
    seconds: float
    error: LLMError | None = None
    usage: TokenUsage = TokenUsage()
    told: Sequence[Allowance] = ()
    sent: bool = True
    aside: bool = False

    @classmethod
    def success(cls, seconds: float, usage: TokenUsage, headers: Mapping[str, str] | None) -> "Report":
        """Return the report of an answer."""
        return cls(_GOOD, seconds, None, usage, allowances(headers) if headers else ())

    @classmethod
    def failure(cls, seconds: float, error: LLMError, usage: TokenUsage = _UNKNOWN) -> "Report":
        """Return the report of an error."""
        sent = not isinstance(error, RequestError) or error.sent
        return cls(classify(error), seconds, error, usage, sent=sent)

    @classmethod
    def late(cls, seconds: float, error: LLMError) -> "Report":
        """Return the report of an attempt that its request's own deadline ended, before it had brought anything."""
        return cls(replace(classify(error), signal=Signal.LATE), seconds, error)

    def with_signal(self, signal: Signal) -> "Report":
        """Return the same report with what it turned out to say of the instance."""
        return replace(self, verdict=replace(self.verdict, signal=signal))

    @classmethod
    def outrun(cls, seconds: float) -> "Report":
        """Return the report of an attempt that was cut because one beside it was faster."""
        return cls(_SLOW, seconds)

    @classmethod
    def nothing(cls, seconds: float, usage: TokenUsage = _UNKNOWN) -> "Report":
        """Return the report of an attempt that was given up."""
        return cls(_NOTHING, seconds, None, usage)

    @classmethod
    def unused(cls) -> "Report":
        """Return the report of an attempt that was never made."""
        return cls(_NOTHING, 0.0, sent=False)


GiveBack = Callable[["Lease", Report], InstanceEvent | None]


class Lease:
    """A reserved place at `instance`, chosen for `reason`. Closing it again, from any thread, does nothing.

    `began` is when it was given, on the monotonic clock; `ticket` is what its `demand` booked of the instance's limits;
    `probe` says that the instance is tried rather than trusted.
    """

    __slots__ = ("_closed", "_give_back", "began", "demand", "instance", "probe", "reason", "ticket")

    def __init__(
        self,
        instance: Instance,
        reason: str,
        began: float,
        give_back: GiveBack,
        *,
        demand: Demand,
        ticket: Ticket,
        probe: bool,
    ) -> None:
        self.instance, self.reason, self.began = instance, reason, began
        self.demand, self.ticket, self.probe = demand, ticket, probe
        self._give_back = give_back
        self._closed = threading.Lock()  # taken once, by the thread that closes, and never released

    def close(self, report: Report) -> InstanceEvent | None:
        """Give the place back; return what became of the instance where that has changed."""
        return self._give_back(self, report) if self._closed.acquire(blocking=False) else None
