"""Rules of deadlines."""

import math

from flyllm._resilience.deadline import Deadline
from tests.unit.fakes import ManualClock


def test_none_means_no_deadline() -> None:
    """A request without a timeout has time for ever."""
    deadline = Deadline.after(ManualClock(), None)
    assert deadline.remaining() == math.inf
    assert not deadline.passed
    assert Deadline.after(ManualClock(), math.inf).remaining() == math.inf


def test_time_runs_down_to_zero_and_not_below() -> None:
    """What remains is never negative, and at zero the deadline has passed."""
    clock = ManualClock()
    deadline = Deadline.after(clock, 2.0)
    clock.advance(1.5)
    assert deadline.remaining() == 0.5
    assert not deadline.passed
    clock.advance(0.5)
    assert deadline.passed
    clock.advance(5)
    assert deadline.remaining() == 0.0
