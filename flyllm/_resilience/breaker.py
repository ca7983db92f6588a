"""The circuit breaker of one instance: closed, open, half-open.

An instance that fails is left alone for a while and then tried with single probes. What counts as failing is relative:
an instance no worse than its peers is not the problem, and ejecting such ones in turn would halve what the rest can do.
Constants: Linkerd's failure accrual and gRPC's outlier detection, where nothing else is said.
"""

from enum import Enum

from flyllm._clock import Clock
from flyllm._resilience.classification import Signal
from flyllm._resilience.window import Window
from flyllm.errors import LLMError

HARD_FAILURES = 5
"""Connections not made, in a row, after which an instance is down."""

SUSPICIOUS = 5
"""Failures in a row that make a comparison with the peers worth while; or `SAMPLE` outcomes, half of them failures."""

SAMPLE = 10
MARGIN = 0.3
"""By how much an instance must fail more often than its peers."""

MANY = 10
"""Failures in a row that eject whatever the peers do; more where more are in flight at once."""

LONGEST = 30.0
LONGEST_EJECTION = 3600.0
RELIEF = 5.0
"""Seconds between probes at most while no other instance is closed either."""

CLEAN = 30.0
"""Seconds without a trip after which the earlier ones are forgotten."""


class State(Enum):
    """Whether an instance is given requests: all, none, or a probe is under way."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """The breaker of one instance. Guarded by the pool's lock.

    `window` has the outcomes of the last 30 s. `why` is the refusal (of key, account or model) that opened it, None
    where failures did.
    """

    __slots__ = ("_clock", "_consecutive", "_hard", "_relief", "_since", "_trips", "_until", "state", "why", "window")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.state = State.CLOSED
        self.window = Window()
        self.why: LLMError | None = None
        self._since = float("-inf")  # of the state
        self._until = self._relief = 0.0
        self._consecutive = self._hard = self._trips = 0

    @property
    def closed(self) -> bool:
        """Whether the instance is given requests."""
        return self.state is State.CLOSED

    def ready_at(self, *, alone: bool) -> float:
        """Return when the next probe may be made: sooner and overlapping, where `alone` says nobody else is closed."""
        if alone and self.why is None:
            return min(self._relief, self._until) if self.state is State.OPEN else self._relief
        return self._until if self.state is State.OPEN else float("inf")

    def begin_probe(self, now: float) -> None:
        """Note that an attempt goes to this instance although it is not closed."""
        self.state = State.HALF_OPEN
        self._relief = now + RELIEF * self._clock.uniform(0.8, 1.2)

    def hurry(self, now: float) -> None:
        """Bring the next probe forward: another instance has just come back."""
        if self.state is State.OPEN and self.why is None:
            self._until = min(self._until, now + self._clock.uniform(0.0, 1.0))

    def eject(self, began: float, now: float, seconds: float, why: LLMError, *, probe: bool) -> None:
        """Open for `seconds`, doubled with every time in a row: the key, the account or the model was refused.

        Refusals of attempts that were under way when it opened change nothing.
        """
        if began < self._since and not probe:
            return
        self._trips = self._trips + 1 if self.why is not None else 0
        self._open(now, min(LONGEST_EJECTION, seconds * 2.0 ** min(self._trips, 16)), why)

    def answered(self, signal: Signal, began: float, now: float, *, probe: bool) -> bool:
        """Take in an outcome that is no failure; return whether it closed the breaker."""
        if self.state is not State.CLOSED:
            if not probe:
                return False
            if signal is Signal.NONE:  # the probe came to nothing: the next one may begin at once
                self._back_to_open(now)
                return False
            self._close(now)
            return True
        if began < self._since:
            return False
        if signal is Signal.GOOD:
            self._consecutive = self._hard = 0
            self.window.record(now, failed=False)
            if now - self._since >= CLEAN:
                self._trips = 0
        return False

    def failed(
        self, signal: Signal, began: float, now: float, *, probe: bool, peers: tuple[int, int], ceiling: int
    ) -> None:
        """Take in a failure; `peers` are attempts and failures of the other closed instances in the same span."""
        if probe and self.state is State.HALF_OPEN:
            self._trip(now)
        if self.state is not State.CLOSED or began < self._since:
            return
        self._consecutive += 1
        self._hard = self._hard + 1 if signal is Signal.HARD else 0
        self.window.record(now, failed=True)
        if self._hard >= HARD_FAILURES or self._consecutive >= max(MANY, ceiling) or self._worse(now, peers):
            self._trip(now)

    def _worse(self, now: float, peers: tuple[int, int]) -> bool:
        attempts, failures = self.window.counts(now)
        rate = failures / attempts
        if self._consecutive < SUSPICIOUS and not (attempts >= SAMPLE and rate >= 0.5):
            return False
        if peers[0] < SAMPLE:
            return False
        usual = peers[1] / peers[0]
        return rate >= usual + MARGIN and attempts >= (SUSPICIOUS if usual <= 0.1 else 2 * SAMPLE)

    def _trip(self, now: float) -> None:
        self._open(now, min(LONGEST, 2.0 ** min(self._trips, 16)) * self._clock.uniform(1.0, 1.2), None)
        self._trips += 1

    def _open(self, now: float, seconds: float, why: LLMError | None) -> None:
        self.state, self.why, self._since = State.OPEN, why, now
        self._until = now + seconds
        self._relief = now + RELIEF * self._clock.uniform(0.8, 1.2)
        self._consecutive = self._hard = 0
        self.window.clear()

    def _back_to_open(self, now: float) -> None:
        if self.state is State.HALF_OPEN:
            self.state, self._until, self._relief = State.OPEN, now, now

    def _close(self, now: float) -> None:
        self.state, self.why, self._since = State.CLOSED, None, now
        self._trips = max(0, self._trips - 1)
        self._consecutive = self._hard = 0
