"""Rules of a breaker that was opened by a refused key, account or model."""

import pytest

from flyllm._resilience.breaker import State
from flyllm._resilience.classification import Signal
from flyllm._routing.route import Route
from flyllm.errors import (
    AuthenticationError,
    LLMError,
    ModelNotFoundError,
    QuotaExceededError,
    RateLimitError,
    RequestError,
)
from tests.unit.fakes import GOOD, ManualClock, failed, instance
from tests.unit.resilience.breakers import REFUSED, Rig
from tests.unit.routing.pools import NEVER, acquire, deadline, only, pool_of


def test_one_refusal_is_enough() -> None:
    """It will not pass by itself: the instance is left alone at once, and what was said is kept."""
    rig = Rig()
    rig.refuse(60.0)
    assert (rig.state, rig.breaker.closed, rig.breaker.why, rig.wait()) == (State.OPEN, False, REFUSED, 60.0)


@pytest.mark.parametrize(
    ("first", "waits"),
    [
        (60.0, [60, 120, 240, 480, 960, 1920, 3600, 3600]),
        (300.0, [300, 600, 1200, 2400, 3600, 3600]),
        (9000.0, [3600, 3600]),
    ],
)
def test_every_refusal_in_a_row_doubles_the_time_up_to_an_hour(first: float, waits: list[float]) -> None:
    """A key is asked about seldom, an account's quota still more so."""
    rig = Rig()
    rig.refuse(first)
    for seconds in waits:
        assert rig.wait() == seconds
        rig.refuse(first, began=rig.probe(), probe=True)


def test_the_time_stays_an_hour_for_ever() -> None:
    """Years of refusals do not overflow."""
    rig = Rig()
    for _ in range(2000):
        rig.refuse(60.0, began=rig.now, probe=True)
    assert rig.wait() == 3600.0


def test_refusals_that_were_under_way_do_not_double_it() -> None:
    """Forty requests with one wrong key are one refusal."""
    rig = Rig()
    sent = rig.now
    rig.clock.advance(1.0)
    rig.refuse(60.0, began=sent)
    rig.clock.advance(1.0)
    for _ in range(39):
        rig.refuse(60.0, began=sent)
    assert rig.wait() == 59.0


def test_a_recovery_makes_the_next_refusal_the_first() -> None:
    """A key that was put right and is refused again begins with a minute."""
    rig = Rig()
    rig.refuse()
    for _ in range(3):
        rig.refuse(began=rig.probe(), probe=True)
    rig.recover()
    assert rig.breaker.why is None
    rig.clock.advance(1.0)
    rig.refuse()
    assert rig.wait() == 60.0


def test_failures_before_do_not_lengthen_a_refusal() -> None:
    """The two are counted apart: five failed probes make a first refusal no longer."""
    rig = Rig()
    rig.trip()
    for _ in range(5):
        rig.fail(began=rig.probe(), probe=True)
    rig.refuse(began=rig.probe(), probe=True)
    assert (rig.wait(), rig.breaker.why) == (60.0, REFUSED)


def test_a_recovery_from_a_refusal_shortens_no_later_outage() -> None:
    """There is no trip to take back: the first one is a second long as ever."""
    rig = Rig()
    rig.refuse()
    rig.recover()
    rig.trip()
    assert rig.wait() == 1.0


def test_a_probe_that_fails_is_no_refusal() -> None:
    """After a refusal a 500 is one failure: why it is left alone is no longer the key."""
    rig = Rig()
    rig.refuse()
    rig.fail(began=rig.probe(), probe=True)
    assert (rig.wait(), rig.breaker.why) == (1.0, None)


def test_a_refused_instance_has_no_relief() -> None:
    """That no other instance is up does not put a key right: no early probes, and none that overlap."""
    rig = Rig()
    rig.refuse()
    assert rig.wait(alone=True) == 60.0
    rig.probe()
    assert rig.wait(alone=True) == float("inf")


def test_it_refuses_until_it_is_time_to_see() -> None:
    """Until then nobody should wait for it; from then on, and while it is tried, somebody may."""
    rig = Rig()
    rig.refuse()
    rig.clock.advance(59.9)
    assert rig.breaker.refuses(rig.now)
    rig.clock.advance(0.1)
    assert not rig.breaker.refuses(rig.breaker.ready_at(alone=False))
    rig.probe()
    assert not rig.breaker.refuses(rig.now - 10.0)


def test_failures_are_waited_out_and_refuse_nobody() -> None:
    """They pass by themselves."""
    rig = Rig()
    rig.trip()
    assert not rig.breaker.refuses(rig.now)


def test_a_refused_key_ends_with_a_probe_that_is_answered() -> None:
    """Also by a 400 or a 429, which come after the key was looked at."""
    rig = Rig()
    rig.refuse()
    assert rig.answer(signal=Signal.ALIVE, began=rig.probe(), probe=True)
    assert (rig.state, rig.breaker.why) == (State.CLOSED, None)


# In the pool


@pytest.mark.parametrize(
    ("kind", "seconds"), [(AuthenticationError, 60.0), (QuotaExceededError, 300.0), (ModelNotFoundError, 300.0)]
)
def test_the_pool_probes_a_refused_instance_when_its_time_has_come(kind: type[LLMError], seconds: float) -> None:
    """A minute for a key, five for an account or a model, twice as long after the next refusal."""
    clock = ManualClock()
    pool = pool_of(instance(0), instance(1), clock=clock)
    pool.acquire(only(0), NEVER).close(failed(kind("x")))
    for wait in (seconds, 2 * seconds):
        clock.advance(wait - 0.1)
        assert acquire(pool).instance.id == 1
        clock.advance(0.2)
        probe = acquire(pool)
        assert (probe.instance.id, probe.probe) == (0, True)
        probe.close(failed(kind("x")))


def test_a_429_closes_a_probe_with_a_ceiling_of_one() -> None:
    """The instance is alive: it is given one request at once, and more as that goes well."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=8), clock=clock)
    acquire(pool).close(failed(AuthenticationError("x")))
    clock.advance(60.0)
    pool.acquire(Route(None), deadline(clock)).close(failed(RateLimitError("x")))
    (snapshot,) = pool.snapshots()
    assert (snapshot.health, snapshot.max_concurrency) == ("closed", 1)


def test_the_first_recovery_wakes_the_other_instances() -> None:
    """After an outage of all, one probe that is answered lets the others be tried within a second."""
    clock = ManualClock()
    pool = pool_of(*(instance(n) for n in range(3)), clock=clock)
    leases = [pool.acquire(only(number), NEVER) for number in (0, 1, 2) for _ in range(5)]
    for lease in leases:
        lease.close(failed(RequestError("refused", sent=False)))
    for _ in range(30):
        pool.acquire(Route(None), deadline(clock)).close(failed(RequestError("refused", sent=False)))
    assert {s.health for s in pool.snapshots()} == {"open"}
    pool.acquire(Route(None), deadline(clock)).close(GOOD)
    breakers = [state.breaker for state in pool._scheduler.states.values() if not state.breaker.closed]
    assert [breaker.ready_at(alone=False) <= clock.now + 1.0 for breaker in breakers] == [True, True]
