"""Rules of what opens the breaker of an instance."""

import pytest

from flyllm._resilience.breaker import Breaker, State
from flyllm._resilience.classification import Signal
from tests.unit.resilience.breakers import HEALTHY, REFUSED, Rig

OPEN, CLOSED = State.OPEN, State.CLOSED


def test_it_begins_closed() -> None:
    """A new instance is given requests, and there is nothing to probe."""
    rig = Rig()
    assert (rig.state, rig.breaker.closed, rig.breaker.why) == (CLOSED, True, None)
    assert rig.wait() == float("inf")
    assert not rig.breaker.refuses(rig.now)


# Hard: no connection is made


@pytest.mark.parametrize(("failures", "state"), [(4, CLOSED), (5, OPEN)])
def test_five_connections_not_made_are_enough_without_any_peers(failures: int, state: State) -> None:
    """Nobody answers there: no comparison is needed."""
    rig = Rig()
    rig.fail(failures, Signal.HARD)
    assert (rig.state, rig.breaker.closed) == (state, state is CLOSED)


def test_an_answer_ends_a_row_of_connections_not_made() -> None:
    """Only those after the last answer count."""
    rig = Rig()
    rig.fail(4, Signal.HARD)
    rig.answer()
    rig.clock.advance(1.0)
    rig.fail(4, Signal.HARD)
    assert rig.state is CLOSED
    rig.fail(1, Signal.HARD)
    assert rig.state is OPEN


def test_wrong_answers_between_do_not_end_such_a_row() -> None:
    """A 500 is no sign of life; but it counts for less than a connection not made."""
    rig = Rig()
    rig.fail(4, Signal.HARD)
    rig.fail(3, Signal.SOFT)
    assert rig.state is CLOSED
    rig.fail(1, Signal.HARD)
    assert rig.state is OPEN


# Relative: worse than its peers


@pytest.mark.parametrize(("failures", "state"), [(4, CLOSED), (5, OPEN)])
def test_five_failures_in_a_row_are_compared_with_the_peers(failures: int, state: State) -> None:
    """Where the others do not fail, that is enough."""
    rig = Rig(HEALTHY)
    rig.fail(failures)
    assert rig.state is state


@pytest.mark.parametrize(("peers", "state"), [((9, 0), CLOSED), ((10, 0), OPEN), ((10, 1), OPEN)])
def test_too_few_attempts_of_the_peers_are_no_comparison(peers: tuple[int, int], state: State) -> None:
    """Below ten nobody knows how they do."""
    rig = Rig(peers)
    rig.fail(5)
    assert rig.state is state


@pytest.mark.parametrize(("failed", "enough"), [(10, 10), (11, 20)])
def test_of_an_instance_with_failing_peers_more_is_asked(failed: int, enough: int) -> None:
    """Where more than a tenth fails elsewhere, it takes twenty outcomes to say that this one is worse."""
    rig = Rig((100, failed))
    rig.outcomes("+-" * (enough // 2 - 1) + "+")
    assert rig.state is CLOSED
    rig.outcomes("-")
    assert rig.state is OPEN


@pytest.mark.parametrize(("failed", "state"), [(20, OPEN), (21, CLOSED), (90, CLOSED)])
def test_an_instance_not_much_worse_than_its_peers_stays(failed: int, state: State) -> None:
    """It must fail three tenths more often: ejecting those that are no worse would halve what the rest can do."""
    rig = Rig((100, failed))
    rig.outcomes("+-" * 20)
    assert rig.state is state


@pytest.mark.parametrize(("pattern", "state"), [("-+-+-+-+-", CLOSED), ("+-+-+-+-+-", OPEN), ("++-++--++--", CLOSED)])
def test_half_of_ten_outcomes_make_it_suspicious_without_a_row(pattern: str, state: State) -> None:
    """Failing every other time is as bad as failing in a row; nine outcomes or fewer failures are not."""
    rig = Rig(HEALTHY)
    rig.outcomes(pattern)
    assert rig.state is state


def test_what_is_on_its_way_counts_as_an_attempt() -> None:
    """Failures come quicker than answers: with those sent before the last failure the rate is a fair one."""
    for waiting, state in ((11, OPEN), (12, CLOSED)):  # 5 of 16, and of 17, against 0.3
        rig = Rig(HEALTHY)
        before = [rig.now] * waiting
        rig.clock.advance(1.0)
        rig.fail(5, under_way=before)
        assert rig.state is state


def test_what_was_sent_later_or_at_once_does_not_hide_failures() -> None:
    """Only what could have been answered by then counts."""
    rig = Rig(HEALTHY)
    rig.fail(5, under_way=[rig.now] * 30 + [rig.now + 1.0] * 30)
    assert rig.state is OPEN


def test_what_lies_half_a_minute_back_is_not_compared() -> None:
    """Answers of the time before the trouble do not hide it."""
    rig = Rig(HEALTHY)
    rig.answer(100)
    rig.clock.advance(30.0)
    rig.fail(5)
    assert rig.state is OPEN


def test_peers_are_not_asked_without_suspicion() -> None:
    """The comparison costs a look at all instances: a single failure is not worth it."""

    def peers() -> tuple[int, int]:
        raise AssertionError

    rig = Rig()
    for _ in range(4):
        rig.breaker.failed(Signal.SOFT, rig.now, rig.now, probe=False, peers=peers, under_way=[])
    assert rig.state is CLOSED


# Absolute: all that was in flight has failed


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


# What counts for nothing


@pytest.mark.parametrize("signal", [Signal.ALIVE, Signal.NONE])
def test_refusals_of_the_request_say_nothing_of_the_streak(signal: Signal) -> None:
    """A 400 or a 429 between failures is neither a success nor a failure."""
    rig = Rig()
    rig.fail(9)
    rig.clock.advance(1.0)
    assert not rig.answer(5, signal)
    assert rig.breaker.window.counts(rig.now) == (9, 9)
    rig.fail()
    assert rig.state is OPEN


@pytest.mark.parametrize("since", [0.0, 5.0])
def test_a_forgiven_instance_is_not_judged_by_what_was_sent_before(since: float) -> None:
    """Neither its failures nor its refused keys nor its answers count; what is sent then does."""
    rig = Rig()
    sent = rig.now
    rig.clock.advance(since + 1.0)
    rig.breaker = Breaker(rig.clock, since=rig.now)
    rig.fail(30, began=sent)
    rig.fail(30, Signal.HARD, began=sent)
    rig.refuse(began=sent)
    rig.answer(5, began=sent)
    assert (rig.state, rig.breaker.window.counts(rig.now)) == (CLOSED, (0, 0))
    rig.refuse()
    assert (rig.state, rig.breaker.why) == (OPEN, REFUSED)
