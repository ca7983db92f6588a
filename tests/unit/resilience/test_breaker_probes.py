"""Rules of how long a breaker stays open, and how it is tried out and closed again."""

import pytest

from flyllm._resilience.breaker import State
from flyllm._resilience.classification import Signal
from tests.unit.resilience.breakers import tripped

OPEN, CLOSED, HALF_OPEN = State.OPEN, State.CLOSED, State.HALF_OPEN


# How long


@pytest.mark.parametrize(("share", "seconds", "relief"), [(0.0, 1.0, 4.0), (1.0, 1.2, 6.0)])
def test_it_opens_for_a_second_and_a_bit(share: float, seconds: float, relief: float) -> None:
    """Up to a fifth longer, so that not all instances of a provider are tried at one moment."""
    rig = tripped(share)
    assert rig.wait() == pytest.approx(seconds)
    assert rig.clock.draws == [(1.0, 1.2), (0.8, 1.2)]
    assert rig.breaker._relief == pytest.approx(rig.now + relief)


def test_every_failed_probe_doubles_the_time_up_to_half_a_minute() -> None:
    """1, 2, 4, 8, 16, 30, 30, ... seconds."""
    rig, waits = tripped(), []
    for _ in range(40):
        waits.append(rig.wait())
        rig.fail(began=rig.probe(), probe=True)
        assert rig.state is OPEN
    assert waits == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, *[30.0] * 35])


def test_a_recovery_takes_back_one_doubling_only() -> None:
    """An instance that flaps is left alone for longer each time it fails its probe, and not from the start again."""
    rig = tripped()
    for _ in range(3):
        rig.fail(began=rig.probe(), probe=True)
    rig.recover()
    rig.trip()
    assert rig.wait() == pytest.approx(8.0)
    for _ in range(9):
        rig.recover()
        rig.trip()
        assert rig.wait() == pytest.approx(8.0)


def test_the_first_failures_are_forgotten_by_a_recovery() -> None:
    """The count does not go below zero: the next time is a second again."""
    rig = tripped()
    for _ in range(3):
        rig.recover()
        rig.trip()
        assert rig.wait() == pytest.approx(1.0)


@pytest.mark.parametrize(("clean", "seconds"), [(29.9, 4.0), (30.0, 1.0)])
def test_half_a_minute_without_a_trip_forgets_the_earlier_ones(clean: float, seconds: float) -> None:
    """The first answer after it does; what came before the recovery is not counted."""
    rig = tripped()
    for _ in range(2):
        rig.fail(began=rig.probe(), probe=True)
    rig.recover()
    rig.clock.advance(clean)
    rig.answer()
    rig.clock.advance(0.05)
    rig.trip()
    assert rig.wait() == pytest.approx(seconds)


# What comes late


@pytest.mark.parametrize("probing", [False, True])
def test_late_results_never_extend_or_end_it(probing: bool) -> None:
    """What was sent before it opened changes nothing, whatever it brings."""
    rig = tripped()
    sent = rig.now
    if probing:
        rig.probe()
    rig.clock.advance(0.5)
    before = (rig.state, rig.breaker.ready_at(alone=False), rig.breaker.ready_at(alone=True))
    rig.fail(20, began=sent - 1.0)
    rig.fail(20, Signal.HARD, began=sent - 1.0)
    rig.refuse(began=sent - 1.0)
    for signal in (Signal.GOOD, Signal.ALIVE, Signal.NONE):
        assert not rig.answer(signal=signal, began=sent - 1.0)
    assert (rig.state, rig.breaker.ready_at(alone=False), rig.breaker.ready_at(alone=True)) == before
    assert rig.breaker.why is None


def test_what_was_sent_before_the_recovery_opens_nothing() -> None:
    """Nor does it count beside what comes later."""
    rig = tripped()
    sent = rig.now
    rig.recover()
    rig.fail(30, began=sent)
    assert not rig.answer(began=sent)
    assert (rig.state, rig.breaker.window.counts(rig.now)) == (CLOSED, (0, 0))
    rig.answer()  # sent at the moment of the recovery
    assert rig.breaker.window.counts(rig.now) == (1, 0)
    rig.clock.advance(1.0)
    rig.fail(9)
    assert rig.state is CLOSED


def test_opening_forgets_the_outcomes_and_closing_the_streak() -> None:
    """After a recovery it takes as many failures as at the start."""
    rig = tripped()
    assert rig.breaker.window.counts(rig.now) == (0, 0)
    rig.recover()
    rig.fail(4, Signal.HARD)
    assert rig.state is CLOSED
    rig.fail(1, Signal.HARD)
    assert rig.state is OPEN


# One probe


def test_one_probe_at_a_time() -> None:
    """While it is under way there is no time at which another would begin, where others are up."""
    rig = tripped()
    rig.probe()
    assert (rig.state, rig.breaker.closed) == (HALF_OPEN, False)
    assert rig.wait() == float("inf")


@pytest.mark.parametrize("signal", [Signal.GOOD, Signal.ALIVE])
def test_a_probe_that_is_answered_closes_it(signal: Signal) -> None:
    """Also by a 429: it is alive, and how much it bears is the ceiling's question."""
    rig = tripped()
    began = rig.probe()
    assert rig.answer(signal=signal, began=began, probe=True)
    assert (rig.state, rig.breaker.closed) == (CLOSED, True)
    assert not rig.answer(signal=signal, began=began, probe=True)


@pytest.mark.parametrize("signal", [Signal.SOFT, Signal.HARD])
def test_a_probe_that_fails_opens_it_again(signal: Signal) -> None:
    """One failure is enough here."""
    rig = tripped()
    rig.fail(1, signal, began=rig.probe(), probe=True)
    assert (rig.state, rig.breaker.closed) == (OPEN, False)


@pytest.mark.parametrize("signal", [Signal.NONE, Signal.SLOW])
@pytest.mark.parametrize("alone", [False, True])
def test_a_probe_that_came_to_nothing_is_made_again_at_once(signal: Signal, alone: bool) -> None:
    """The fault lay on this side, or nobody waited for its end: nothing was learned, and no time is lost."""
    rig = tripped()
    assert not rig.answer(signal=signal, began=rig.probe(), probe=True)
    assert (rig.state, rig.wait(alone=alone)) == (OPEN, 0.0)


def test_only_the_latest_probe_reopens_it() -> None:
    """An earlier one that hung and now ends badly, or in nothing, does not disturb the one under way."""
    rig = tripped()
    hung = rig.probe()
    rig.clock.advance(10.0)
    rig.breaker.begin_probe(rig.now)
    relief = rig.breaker.ready_at(alone=True)
    rig.fail(began=hung, probe=True)
    rig.answer(signal=Signal.NONE, began=hung, probe=True)
    assert (rig.state, rig.breaker.ready_at(alone=True)) == (HALF_OPEN, relief)


def test_a_probe_that_had_been_given_up_may_still_succeed() -> None:
    """It closes the breaker although another one failed meanwhile: it is up."""
    rig = tripped()
    hung = rig.probe()
    rig.clock.advance(10.0)
    rig.breaker.begin_probe(rig.now)
    rig.fail(began=rig.now, probe=True)
    assert rig.state is OPEN
    assert rig.answer(began=hung, probe=True)
    assert rig.state is CLOSED
