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
