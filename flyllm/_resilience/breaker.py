"""The circuit breaker of one instance: closed, open, half-open.

An instance that fails is left alone for a while and then tried with single probes. What counts as failing is relative:
an instance no worse than its peers is not the problem, and ejecting such ones in turn would halve what the rest can do.
An outcome speaks of the time when its attempt was sent: successes sent before an outage do not end a streak in it.
Constants: Linkerd's failure accrual and gRPC's outlier detection, where nothing else is said.
"""

from collections.abc import Callable, Sequence
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
"""Failures in a row that eject whatever the peers do; as many as were in flight at once, where those are more."""

HOPE = 2
"""How many failures more it takes for every attempt that has outlasted them, and may yet succeed."""

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

    __slots__ = (
        "_clock",
        "_probed_at",
        "_refusals",
        "_relief",
        "_since",
        "_streak",
        "_trips",
        "_until",
        "closed",
        "state",
        "why",
        "window",
    )

    def __init__(self, clock: Clock, since: float = float("-inf")) -> None:
        self._clock = clock
        self.state, self.closed = State.CLOSED, True
        self.window = Window()
        self.why: LLMError | None = None
        self._since = since  # of the state: what was sent before says nothing of it
        self._until = self._relief = self._probed_at = 0.0
        self._trips = self._refusals = 0
        self._streak = Streak()

    def refuses(self, now: float) -> bool:
        """Whether its key, account or model was refused, and it is not yet time to see whether it still is."""
        return self.why is not None and self.state is State.OPEN and self._until > now

    def ready_at(self, *, alone: bool) -> float:
        """Return when the next probe may be made: sooner and overlapping, where `alone` says nobody else is closed."""
        if alone and self.why is None:
            return min(self._relief, self._until) if self.state is State.OPEN else self._relief
        return self._until if self.state is State.OPEN else float("inf")

    def begin_probe(self, now: float) -> None:
        """Note that an attempt goes to this instance although it is not closed."""
        self.state, self._probed_at = State.HALF_OPEN, now
        self._relief = now + RELIEF * self._clock.uniform(0.8, 1.2)

    def hurry(self, now: float) -> None:
        """Bring the next probe forward, past one that hangs: another instance has just come back."""
        if not self.closed and self.why is None:
            soon = now + self._clock.uniform(0.0, 1.0)
            self._until = min(self._until, soon) if self.state is State.OPEN else soon
            self.state = State.OPEN

    def eject(self, began: float, now: float, seconds: float, why: LLMError, *, probe: bool) -> None:
        """Open for `seconds`, doubled with every time in a row: the key, the account or the model was refused.

        Refusals of attempts that were under way when it opened change nothing.
        """
        if began < self._since and not (probe and self._is_latest(began)):
            return
        self._open(now, min(LONGEST_EJECTION, seconds * 2.0 ** min(self._refusals, 16)), why)
        self._refusals += 1

    def answered(self, signal: Signal, began: float, now: float, *, probe: bool) -> bool:
        """Take in an outcome that is no failure; return whether it closed the breaker."""
        if self.state is not State.CLOSED:
            if not probe:
                return False
            if signal in (Signal.NONE, Signal.SLOW):  # the probe came to nothing: the next one may begin at once
                self._back_to_open(began, now)
                return False
            self._close(now)
            return True
        if began < self._since:
            return False
        if signal is Signal.GOOD:
            self._streak.end(began)
            self.window.record(now, failed=False)
            if now - self._since >= CLEAN:
                self._trips = 0
        return False

    def failed(
        self,
        signal: Signal,
        began: float,
        now: float,
        *,
        probe: bool,
        peers: Callable[[], tuple[int, int]],
        under_way: Sequence[float],
    ) -> None:
        """Take in a failure.

        `peers` tells attempts and failures of the other closed instances in the same span; `under_way` is when the
        attempts were sent that have not ended.
        """
        if probe and self._is_latest(began):
            self._trip(now)
        if not self.closed or began < self._since:
            return
        streak = self._streak
        streak.grow(began, len(under_way) + 1, hard=signal is Signal.HARD)
        self.window.record(now, failed=True)
        down = streak.hard >= HARD_FAILURES or self._hopeless(under_way)
        if down or self._worse(began, now, peers, under_way):
            self._trip(now)

    def _hopeless(self, under_way: Sequence[float]) -> bool:
        """Whether all that was in flight has failed: attempts that outlast the failures may yet succeed."""
        streak = self._streak
        enough = max(MANY, streak.most_in_flight)
        return streak.length >= enough and streak.length >= enough + HOPE * streak.outlasting(under_way)

    def _worse(
        self, began: float, now: float, peers: Callable[[], tuple[int, int]], under_way: Sequence[float]
    ) -> bool:
        attempts, failures = self.window.counts(now)
        # Failures are often quicker than answers: without those on their way it would look worse than it is at first.
        rate = failures / (attempts + sum(at < began for at in under_way))
        if self._streak.length < SUSPICIOUS and not (attempts >= SAMPLE and rate >= 0.5):
            return False
        peer_attempts, peer_failures = peers()
        if peer_attempts < SAMPLE:
            return False
        usual = peer_failures / peer_attempts
        return rate >= usual + MARGIN and attempts >= (SUSPICIOUS if usual <= 0.1 else 2 * SAMPLE)

    def _trip(self, now: float) -> None:
        self._open(now, min(LONGEST, 2.0 ** min(self._trips, 16)) * self._clock.uniform(1.0, 1.2), None)
        self._trips += 1

    def _open(self, now: float, seconds: float, why: LLMError | None) -> None:
        self.state, self.closed, self.why, self._since = State.OPEN, False, why, now
        self._until = now + seconds
        self._relief = now + RELIEF * self._clock.uniform(0.8, 1.2)
        self.window.clear()

    def _is_latest(self, began: float) -> bool:
        """Whether a probe that began then is the one under way: where others have overlapped, theirs is old news."""
        return self.state is State.HALF_OPEN and began >= self._probed_at

    def _back_to_open(self, began: float, now: float) -> None:
        if self._is_latest(began):
            self.state, self._until, self._relief = State.OPEN, now, now

    def _close(self, now: float) -> None:
        self.state, self.closed, self.why, self._since = State.CLOSED, True, None, now
        self._trips, self._refusals = max(0, self._trips - 1), 0
        self._streak = Streak()


class Streak:
    """Failures of attempts that were sent later than any that is known to have succeeded.

    `most_in_flight` is the most attempts under way at once during the streak.
    """

    __slots__ = ("_failures", "_success", "hard", "most_in_flight")

    def __init__(self) -> None:
        self._failures: list[tuple[float, bool]] = []  # when it was sent, and whether no connection was made
        self._success = float("-inf")  # when the last one known was sent
        self.hard = self.most_in_flight = 0

    @property
    def length(self) -> int:
        """How many failures there are."""
        return len(self._failures)

    def grow(self, began: float, in_flight: int, *, hard: bool) -> None:
        """Take in a failure."""
        if began > self._success:
            self._failures.append((began, hard))
            self.hard += hard
            self.most_in_flight = max(self.most_in_flight, in_flight)

    def outlasting(self, under_way: Sequence[float]) -> int:
        """Return how many attempts were sent among the failed ones, and have not ended."""
        sent = [at for at, _ in self._failures]
        first, last = min(sent), max(sent)
        return sum(first <= at < last for at in under_way)

    def end(self, began: float) -> None:
        """Take in a success: what was sent before it does not belong to the streak."""
        self._success = max(self._success, began)
        if self._failures:
            self._failures = [failure for failure in self._failures if failure[0] > began]
            self.hard = sum(hard for _, hard in self._failures)
            self.most_in_flight = self.most_in_flight if self._failures else 0
