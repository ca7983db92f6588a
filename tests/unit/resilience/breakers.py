"""A breaker, a clock and the rest of the world, for tests of the breaker."""

from collections.abc import Sequence

from flyllm._resilience.breaker import Breaker, State
from flyllm._resilience.classification import Signal
from flyllm.errors import AuthenticationError
from tests.unit.fakes import ManualClock

REFUSED = AuthenticationError("HTTP 401")
HEALTHY = (100, 0)
"""Peers that never fail."""

NOBODY = (0, 0)


class Edge(ManualClock):
    """A clock whose draws lie all at the same share of their range: 0.0 at its lower edge, 1.0 at its upper one."""

    def __init__(self, share: float = 0.0) -> None:
        super().__init__()
        self.share = share

    def uniform(self, low: float, high: float) -> float:
        self.draws.append((low, high))
        return low + self.share * (high - low)


class Rig:
    """A breaker whose attempts are sent when the clock says, unless `began` says otherwise."""

    def __init__(self, peers: tuple[int, int] = NOBODY, share: float = 0.0) -> None:
        self.clock, self.peers = Edge(share), peers
        self.breaker = Breaker(self.clock)

    @property
    def state(self) -> State:
        return self.breaker.state

    @property
    def now(self) -> float:
        return self.clock.now

    def fail(
        self,
        times: int = 1,
        signal: Signal = Signal.SOFT,
        *,
        began: float | None = None,
        probe: bool = False,
        under_way: Sequence[float] = (),
    ) -> None:
        for _ in range(times):
            began_at = self.now if began is None else began
            self.breaker.failed(signal, began_at, self.now, probe=probe, peers=lambda: self.peers, under_way=under_way)

    def answer(
        self, times: int = 1, signal: Signal = Signal.GOOD, *, began: float | None = None, probe: bool = False
    ) -> bool:
        """Take in `times` answers; return whether the last one closed the breaker."""
        closed = False
        for _ in range(times):
            closed = self.breaker.answered(signal, self.now if began is None else began, self.now, probe=probe)
        return closed

    def outcomes(self, pattern: str) -> None:
        """Take in a `+` (answer) or a `-` (failure) each, one after the other in time."""
        for outcome in pattern:
            self.clock.advance(0.01)
            self.answer() if outcome == "+" else self.fail()

    def refuse(self, seconds: float = 60.0, *, began: float | None = None, probe: bool = False) -> None:
        self.breaker.eject(self.now if began is None else began, self.now, seconds, REFUSED, probe=probe)

    def trip(self) -> None:
        """Open it by failures."""
        self.fail(5, Signal.HARD)
        assert self.state is State.OPEN

    def wait(self, *, alone: bool = False) -> float:
        """Return the seconds until the next probe."""
        return self.breaker.ready_at(alone=alone) - self.now

    def probe(self) -> float:
        """Wait for the time of the next probe and begin it; return when that was."""
        self.clock.advance(max(0.0, self.wait()))
        self.breaker.begin_probe(self.now)
        return self.now

    def recover(self) -> None:
        """Let a probe succeed."""
        assert self.answer(began=self.probe(), probe=True)


def tripped(share: float = 0.0) -> Rig:
    """A breaker that failures have just opened."""
    rig = Rig(share=share)
    rig.trip()
    return rig
