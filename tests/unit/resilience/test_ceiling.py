"""Rules of the ceiling that is learned from refusals."""

import pytest

from flyllm._resilience.ceiling import Ceiling
from tests.unit.resilience.breakers import Edge

NOW = 1000.0


class Rig:
    """A ceiling, cut once to `limit` at `NOW`; every attempt is sent when it is answered, unless said otherwise."""

    def __init__(self, limit: int | None = None, maximum: int = 64) -> None:
        self.ceiling, self.clock = Ceiling(maximum), Edge()
        if limit is not None:
            self.refuse(limit)

    @property
    def limit(self) -> int:
        return self.ceiling.limit

    def refuse(self, in_flight: int, ago: float = 0.0) -> float:
        return self.ceiling.refused(in_flight, self.clock.now - ago, self.clock.now, self.clock)

    def succeed(self, times: int = 1, in_flight: int | None = None) -> None:
        for _ in range(times):
            self.ceiling.succeeded(self.limit if in_flight is None else in_flight, self.clock.now)


def test_it_begins_at_the_users_limit() -> None:
    """Nothing is held back before the provider refuses."""
    rig = Rig(maximum=7)
    assert rig.limit == 7
    rig.clock.advance(100.0)
    rig.succeed(100)
    assert rig.limit == 7


# Refusals


@pytest.mark.parametrize(("in_flight", "limit"), [(10, 10), (1, 1), (0, 1), (64, 64), (90, 64)])
def test_a_refusal_cuts_it_to_what_was_accepted(in_flight: int, limit: int) -> None:
    """What is still in flight is what the provider bears: never none, and never more than before."""
    assert Rig(in_flight).limit == limit


@pytest.mark.parametrize("in_flight", [1, 10])
def test_a_refusal_cools_nothing_while_others_are_under_way(in_flight: int) -> None:
    """Leaving the instance alone would leave idle what it does accept."""
    rig = Rig()
    assert rig.refuse(in_flight) == 0.0
    assert rig.clock.draws == []


def test_a_refusal_of_the_only_attempt_cools() -> None:
    """There is nothing to give less of: half a second to two, longer with every time in a row."""
    rig = Rig()
    waits = [rig.refuse(0) for _ in range(8)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0, 15.0]
    assert set(rig.clock.draws) == {(0.5, 1.0)}
    rig.clock.share = 1.0
    assert rig.refuse(0) == 30.0


def test_the_second_strike_cools_whoever_is_under_way() -> None:
    """Two cuts without a success between: less at once is not what it asks for."""
    rig = Rig()
    assert [rig.refuse(5) for _ in range(5)] == [0.0, 2.0, 4.0, 8.0, 15.0]


def test_a_success_between_ends_the_strikes() -> None:
    """It accepts something: that is enough to go on."""
    rig = Rig()
    for _ in range(5):
        assert rig.refuse(5) == 0.0
        rig.succeed()
    assert rig.refuse(0) == 0.5


def test_refusals_of_what_was_sent_before_the_cut_are_no_strikes() -> None:
    """They were under way when it was made: forty at once are one refusal."""
    rig = Rig()
    rig.clock.advance(1.0)
    assert [rig.refuse(10, ago=0.5) for _ in range(40)] == [0.0] * 40
    assert [rig.refuse(10), rig.refuse(10, ago=0.1), rig.refuse(10)] == [2.0, 2.0, 4.0]


def test_a_late_refusal_cuts_further_where_less_is_left() -> None:
    """Of forty refused one after another the last sees what was really accepted."""
    rig = Rig()
    rig.clock.advance(1.0)
    for left in range(40, 3, -1):
        rig.refuse(left, ago=1.0)
    assert rig.limit == 4


def test_a_success_before_the_cut_is_none_after_it() -> None:
    """Strikes count from cut to cut."""
    rig = Rig()
    rig.succeed(9)
    assert [rig.refuse(5) for _ in range(4)] == [0.0, 0.0, 2.0, 4.0]


def test_years_of_refusals_do_not_overflow() -> None:
    """The wait stays at its bound."""
    rig = Rig()
    assert [rig.refuse(0) for _ in range(3000)][-1] == 15.0


# Growing back


@pytest.mark.parametrize(("quiet", "limit"), [(4.9, 10), (5.0, 11)])
def test_it_grows_after_five_quiet_seconds(quiet: float, limit: int) -> None:
    """As many successes as it has places give it one more."""
    rig = Rig(10)
    rig.clock.advance(quiet)
    rig.succeed(9)
    assert rig.limit == 10
    rig.succeed()
    assert rig.limit == limit


def test_it_grows_by_one_for_each_round_of_successes() -> None:
    """Ten for the eleventh place, then eleven for the twelfth."""
    rig = Rig(10)
    rig.clock.advance(5.0)
    rig.succeed(20)
    assert rig.limit == 11
    rig.succeed()
    assert rig.limit == 12


@pytest.mark.parametrize(("quiet", "enough"), [(29.9, 20), (30.0, 5)])
def test_after_half_a_minute_it_grows_four_times_as_fast(quiet: float, enough: int) -> None:
    """A quarter of the successes is enough then."""
    rig = Rig(20)
    rig.clock.advance(quiet)
    rig.succeed(enough - 1)
    assert rig.limit == 20
    rig.succeed()
    assert rig.limit == 21


@pytest.mark.parametrize(("in_flight", "limit"), [(3, 10), (4, 11)])
def test_it_grows_only_where_it_is_used(in_flight: int, limit: int) -> None:
    """Below half of it nothing was learned about more (the success itself has already ended)."""
    rig = Rig(10)
    rig.clock.advance(5.0)
    rig.succeed(10, in_flight=in_flight)
    assert rig.limit == limit


def test_it_grows_to_the_users_limit_and_no_further() -> None:
    """Nor does it save up successes for the time after."""
    rig = Rig(1, maximum=3)
    rig.clock.advance(5.0)
    rig.succeed(50)
    assert rig.limit == 3


def test_a_refusal_begins_the_count_and_the_quiet_anew() -> None:
    """Nine successes before it are none after it; also where the refused attempt was an old one."""
    rig = Rig(10)
    rig.clock.advance(5.0)
    rig.succeed(9)
    rig.refuse(10, ago=5.5)
    rig.succeed(10)
    assert rig.limit == 10
    rig.clock.advance(5.0)
    rig.succeed(9)
    assert rig.limit == 10
    rig.succeed()
    assert rig.limit == 11


def test_a_restart_begins_at_one() -> None:
    """What it bears is learned from below, up to the user's limit."""
    rig = Rig(maximum=4)
    rig.ceiling.restart()
    assert rig.limit == 1
    rig.succeed(2)
    assert rig.limit == 3
