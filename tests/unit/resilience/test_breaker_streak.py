"""Rules of failures in a row: an instance is down where all that was in flight has failed."""

import pytest

from flyllm._resilience.breaker import State
from tests.unit.resilience.breakers import Rig

OPEN, CLOSED = State.OPEN, State.CLOSED


@pytest.mark.parametrize("peers", [(0, 0), (100, 100)])
@pytest.mark.parametrize(("failures", "state"), [(9, CLOSED), (10, OPEN)])
def test_ten_in_a_row_are_enough_whatever_the_peers_do(peers: tuple[int, int], failures: int, state: State) -> None:
    """Alone, or among others as bad."""
    rig = Rig(peers)
    rig.fail(failures)
    assert rig.state is state


@pytest.mark.parametrize(("in_flight", "enough"), [(9, 10), (10, 10), (11, 11), (40, 40)])
def test_of_more_in_flight_all_must_fail(in_flight: int, enough: int) -> None:
    """What one bad moment of the network cuts at once is no proof while a part of it may succeed."""
    rig = Rig()
    sent = rig.now
    rig.clock.advance(1.0)
    left = in_flight
    for _ in range(enough - 1):
        left = max(0, left - 1)
        rig.fail(began=sent, under_way=[sent] * left)
        assert rig.state is CLOSED
    rig.fail(began=sent)
    assert rig.state is OPEN


def test_each_attempt_that_outlasts_the_failures_gives_two_more_a_chance() -> None:
    """It may yet succeed: one that hangs delays the verdict, it does not prevent it."""
    for outlasting in (1, 3):
        rig = Rig()
        first = rig.now
        rig.clock.advance(1.0)
        under_way = [first] * outlasting
        rig.fail(began=first)
        rig.fail(8 + 2 * outlasting, under_way=under_way)
        assert rig.state is CLOSED
        rig.fail(under_way=under_way)
        assert rig.state is OPEN


def test_only_what_was_sent_among_the_failures_outlasts_them() -> None:
    """What hung before them, or was sent with the last or after it, tells nothing of this streak."""
    rig = Rig()
    rig.clock.advance(1.0)
    rig.fail(10, under_way=[rig.now - 1.0, rig.now, rig.now + 1.0])
    assert rig.state is OPEN


def test_an_answer_ends_the_streak_of_what_was_sent_before_it() -> None:
    """Failures of attempts that were sent after it go on counting."""
    rig = Rig()
    rig.fail(4)
    rig.clock.advance(1.0)
    answered = rig.now
    rig.clock.advance(1.0)
    rig.fail(4)
    rig.answer(began=answered)
    rig.fail(5)
    assert rig.state is CLOSED
    rig.fail()
    assert rig.state is OPEN


def test_an_answer_to_an_attempt_sent_before_the_failures_ends_nothing() -> None:
    """It speaks of the time when it was sent, which was before the outage."""
    rig = Rig()
    sent = rig.now
    rig.clock.advance(1.0)
    rig.fail(9)
    rig.answer(5, began=sent)
    rig.fail()
    assert rig.state is OPEN


def test_a_failure_sent_before_the_last_answer_begins_no_streak() -> None:
    """Also at the very moment: what came after says that it works."""
    rig = Rig()
    sent = rig.now
    rig.clock.advance(1.0)
    rig.answer()
    rig.fail(30, began=sent)
    rig.fail(30)
    assert rig.state is CLOSED


@pytest.mark.parametrize("order", [(1.0, 2.0), (2.0, 1.0)])
def test_answers_may_come_in_any_order(order: tuple[float, float]) -> None:
    """The one sent last counts, whenever it comes."""
    rig = Rig()
    start = rig.now
    rig.clock.advance(3.0)
    for after in order:
        rig.answer(began=start + after)
    rig.fail(20, began=start + 1.5)
    assert rig.state is CLOSED


def test_a_streak_that_ended_leaves_no_crowd_behind() -> None:
    """How many were in flight is counted anew for the next streak."""
    rig = Rig()
    rig.fail(under_way=[rig.now] * 40)
    rig.answer()
    rig.clock.advance(1.0)
    rig.fail(10)
    assert rig.state is OPEN


def test_a_streak_that_goes_on_keeps_its_crowd() -> None:
    """An answer in its midst does not make it smaller than what failed with it."""
    rig = Rig()
    first = rig.now
    rig.clock.advance(1.0)
    rig.fail(2, under_way=[rig.now] * 18)
    rig.answer(began=first)
    rig.fail(16)
    assert rig.state is CLOSED
    rig.fail()
    assert rig.state is OPEN
