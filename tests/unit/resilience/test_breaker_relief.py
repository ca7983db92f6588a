"""Rules of an outage of all: instances are tried more often, and the first that is back wakes the others."""

import pytest

from flyllm._resilience.breaker import State
from tests.unit.resilience.breakers import REFUSED, Rig, tripped

OPEN, CLOSED, HALF_OPEN = State.OPEN, State.CLOSED, State.HALF_OPEN


def test_alone_a_probe_is_made_every_five_seconds_however_long_it_is_open() -> None:
    """Where no other instance is up, half a minute is too long."""
    for share, seconds in ((0.0, 4.0), (1.0, 6.0)):
        rig = tripped()
        for _ in range(6):
            rig.fail(began=rig.probe(), probe=True)
        rig.clock.share = share
        rig.fail(began=rig.probe(), probe=True)
        assert rig.wait(alone=True) == pytest.approx(seconds)
        assert rig.wait() >= 30.0


def test_alone_it_is_not_tried_later_than_otherwise() -> None:
    """The shorter of the two times holds."""
    rig = tripped()
    assert rig.wait(alone=True) == rig.wait() == pytest.approx(1.0)


@pytest.mark.parametrize(("share", "seconds"), [(0.0, 4.0), (1.0, 6.0)])
def test_alone_probes_overlap(share: float, seconds: float) -> None:
    """One that hangs keeps nobody from trying again after five seconds; where others are up it does."""
    rig = tripped(share)
    rig.probe()
    assert rig.wait(alone=True) == pytest.approx(seconds)
    assert rig.wait() == float("inf")


# The first success wakes the others


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_another_ones_recovery_brings_the_probe_forward(share: float) -> None:
    """Within a second: what had taken all of them down is over."""
    rig = tripped()
    for _ in range(6):
        rig.fail(began=rig.probe(), probe=True)
    rig.clock.share = share
    rig.breaker.hurry(rig.now)
    assert rig.wait() == pytest.approx(share)
    assert rig.clock.draws[-1] == (0.0, 1.0)


def test_it_is_never_put_off_by_that() -> None:
    """A probe that is due sooner stays so."""
    rig = tripped()
    rig.clock.share = 1.0
    rig.clock.advance(0.5)
    rig.breaker.hurry(rig.now)
    assert rig.wait() == pytest.approx(0.5)


def test_a_probe_that_hangs_is_passed_by() -> None:
    """The next one is due within a second, and the old one's failure no longer matters."""
    rig = tripped()
    hung = rig.probe()
    rig.clock.share = 0.5
    rig.breaker.hurry(rig.now)
    assert (rig.state, rig.wait()) == (OPEN, 0.5)
    rig.fail(began=hung, probe=True)
    assert (rig.state, rig.wait()) == (OPEN, 0.5)


def test_who_is_up_or_was_refused_does_not_hurry() -> None:
    """Another instance's recovery says nothing of this one's key."""
    rig = Rig()
    rig.breaker.hurry(rig.now)
    assert rig.state is CLOSED
    rig.refuse(60.0)
    rig.breaker.hurry(rig.now)
    assert (rig.wait(), rig.breaker.why) == (60.0, REFUSED)
    rig.probe()
    rig.breaker.hurry(rig.now)
    assert rig.state is HALF_OPEN
