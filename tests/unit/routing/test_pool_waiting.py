"""Rules of waiting for an instance: who ends it, when, and that nothing is left behind."""

import inspect
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flyllm._resilience.deadline import Deadline
from flyllm._routing.lease import Lease, Report
from flyllm._routing.pool import Pool
from flyllm._routing.route import Route
from flyllm._routing.waiter import Waiter
from flyllm.errors import (
    AuthenticationError,
    DeadlineExceededError,
    InvalidRequestError,
    LLMError,
    ManagerClosedError,
    ModelNotFoundError,
    NoInstanceError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    RequestError,
)
from tests.unit.fakes import GOOD, ManualClock, failed, instance
from tests.unit.routing.pools import BAD, NEVER, acquire, deadline, only, pool_of


def test_a_waiter_gets_the_place_that_becomes_free() -> None:
    """A request that finds all full waits until a lease is closed."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=1), clock=clock)
    first = acquire(pool)
    clock.at(3.0, lambda: first.close(GOOD))
    lease = pool.acquire(Route(None), deadline(clock))
    assert (clock.now, lease.instance.id, pool.in_flight()) == (1003.0, 0, 1)


def test_a_waiter_with_a_deadline_gives_up_then() -> None:
    """Waiting ends at the deadline, not after, and leaves no trace."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=1), clock=clock)
    held = acquire(pool)
    with pytest.raises(DeadlineExceededError, match="no instance became free"):
        pool.acquire(Route(None), deadline(clock, 7.0))
    assert clock.now == 1007.0
    held.close(GOOD)
    assert pool.in_flight() == 0
    assert acquire(pool).instance.id == 0


def test_a_place_handed_over_at_the_deadline_is_used_or_given_back() -> None:
    """A hand-off that crosses the timeout is not lost."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=1), clock=clock)
    held = acquire(pool)

    class Crossing(threading.Event):
        def is_set(self) -> bool:
            return False  # the waiter does not see it in time

    original = threading.Event
    threading.Event = Crossing  # type: ignore[misc,assignment]
    try:
        clock.at(1.0, lambda: held.close(GOOD))
        lease = pool.acquire(Route(None), deadline(clock, 2.0))
    finally:
        threading.Event = original  # type: ignore[misc]
    lease.close(GOOD)
    assert pool.in_flight() == 0


@pytest.mark.parametrize("pause", [n / 1000 for n in range(1, 30)])
def test_a_pause_that_ends_while_its_thread_goes_to_sleep_is_not_slept_through(pause: float) -> None:
    """Time passes between any two looks at the clock."""

    class Running(ManualClock):
        def monotonic(self) -> float:
            self.now += 0.001
            return self.now

    clock, route = Running(), Route(None)
    pool = pool_of(instance(0), clock=clock)
    route.not_before = clock.now + pause
    pool.acquire(route, deadline(clock, 100.0)).close(GOOD)
    assert clock.now < 1001.0


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("granted", [False, True])
def test_an_interrupt_while_waiting_leaks_nothing(interrupt: type[BaseException], granted: bool) -> None:
    """Ctrl-C takes the waiter out of the queue and gives back a place that came at the same moment."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=1), clock=clock)
    held = acquire(pool)

    def fire() -> None:
        if granted:
            held.close(GOOD)
        raise interrupt

    clock.at(1.0, fire)
    with pytest.raises(interrupt):
        pool.acquire(Route(None), deadline(clock))
    held.close(GOOD)
    assert pool.in_flight() == 0
    acquire(pool).close(GOOD)
    assert pool.in_flight() == 0


def test_closing_fails_the_waiters_and_all_that_come_later() -> None:
    """After `close()` nobody waits and nobody gets in; a lease that is out may still be given back."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=1), clock=clock)
    held = acquire(pool)
    clock.at(1.0, pool.close)
    with pytest.raises(ManagerClosedError, match="while the request waited"):
        pool.acquire(Route(None), deadline(clock))
    with pytest.raises(ManagerClosedError):
        acquire(pool)
    pool.close()
    held.close(GOOD)
    assert pool.in_flight() == 0


def test_disabling_the_last_eligible_instance_fails_its_waiters() -> None:
    """Nobody waits for an instance that the owner has taken out."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=1), clock=clock)
    acquire(pool)
    clock.at(1.0, lambda: pool.set_enabled(0, enabled=False))
    with pytest.raises(NoInstanceError, match="disabled: i0"):
        pool.acquire(Route(None), deadline(clock))


def test_disabling_one_of_two_leaves_the_waiters() -> None:
    """As long as one instance may serve a waiter, it waits for that."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=1), instance(1, max_concurrency=1), clock=clock)
    held = {lease.instance.id: lease for lease in (acquire(pool), acquire(pool))}
    clock.at(1.0, lambda: pool.set_enabled(0, enabled=False))
    clock.at(2.0, lambda: held[0].close(GOOD))
    clock.at(3.0, lambda: held[1].close(GOOD))
    lease = pool.acquire(Route(None), deadline(clock))
    assert (lease.instance.id, clock.now) == (1, 1003.0)


@pytest.mark.parametrize("how", ["enable", "add"])
def test_an_instance_that_comes_serves_the_waiters(how: str) -> None:
    """Enabling or adding an instance ends the waiting at once."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=1), instance(1, max_concurrency=1), clock=clock)
    pool.set_enabled(1, enabled=False)
    acquire(pool)
    comes = {"enable": lambda: pool.set_enabled(1, enabled=True), "add": lambda: pool.add(instance(2), enabled=True)}
    clock.at(1.0, comes[how])
    assert pool.acquire(Route(None), deadline(clock)).instance.id == {"enable": 1, "add": 2}[how]
    assert clock.now == 1001.0


def test_an_instance_added_disabled_takes_nothing() -> None:
    """`enabled=False` holds from the first moment."""
    pool = pool_of()
    pool.add(instance(0), enabled=False)
    with pytest.raises(NoInstanceError, match="all instances are disabled"):
        acquire(pool)


@pytest.mark.parametrize("busy", [False, True])
def test_an_interrupt_at_any_call_on_the_way_to_an_instance_leaks_nothing(busy: bool) -> None:
    """Ctrl-C may come wherever Python calls a function: no place, no waiter, no lock is left behind."""
    number, lease = 0, None
    while lease is None:
        number += 1
        clock = ManualClock()
        pool = pool_of(instance(0, max_concurrency=1), clock=clock)
        if busy:
            held = acquire(pool)
            clock.at(2.0, lambda held=held: held.close(GOOD))
        route, until = Route(None), deadline(clock, 100.0)
        with interrupted_at(number, besides="close"), suppress(KeyboardInterrupt):
            lease = pool.acquire(route, until)
        if lease is not None:
            lease.close(GOOD)
        clock.advance(5.0)
        assert not pool._lock.locked()
        assert (pool.in_flight(), pool._scheduler.waiters, pool._places) == (0, [], [])
    assert number > 20


@contextmanager
def interrupted_at(number: int, besides: str) -> Iterator[None]:
    """Raise KeyboardInterrupt as the `number`th function of the package is entered, but not within `besides`."""
    left = number

    def enter(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        if "/flyllm/" not in frame.f_code.co_filename or frame.f_code.co_flags & inspect.CO_GENERATOR:
            return
        above: FrameType | None = frame
        while above is not None and "/flyllm/" in above.f_code.co_filename:
            if above.f_code.co_name == besides:
                return
            above = above.f_back
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(before)


# Knowing how long it takes


def limited(pool: Pool, seconds: float, number: int = 0) -> None:
    """Have an instance ask to be left alone."""
    pool.acquire(only(number), NEVER).close(failed(RateLimitError("x", retry_after=seconds)))


def down(pool: Pool, number: int = 0) -> None:
    """Have an instance ejected: no connection to it, five times in a row."""
    for _ in range(5):
        pool.acquire(only(number), NEVER).close(failed(RequestError("refused", sent=False)))
    assert pool.snapshots()[number].health == "open"


def test_a_cool_down_is_waited_out_and_not_shortened() -> None:
    """The request gets its place when the time is over, up to a tenth later, and nobody wakes it in vain before."""
    clock = ManualClock()
    pool = pool_of(instance(0), clock=clock)
    limited(pool, 30.0)
    pool.acquire(Route(None), deadline(clock))
    assert 1030.0 <= clock.now <= 1033.0
    assert len(clock.waits) == 1


def test_a_deadline_known_to_come_first_is_told_at_once() -> None:
    """Nobody waits ten seconds for what is ready in thirty; the error says when that is."""
    clock = ManualClock()
    pool = pool_of(instance(0), clock=clock)
    limited(pool, 30.0)
    with pytest.raises(
        DeadlineExceededError, match="no instance will be ready before the request's deadline"
    ) as caught:
        pool.acquire(Route(None), deadline(clock, 10.0))
    assert clock.now == 1000.0
    assert caught.value.retry_after is not None
    assert 30.0 <= caught.value.retry_after <= 33.0
    assert (pool._scheduler.waiters, pool._places) == ([], [])


def test_a_deadline_that_becomes_hopeless_while_waiting_is_told_then() -> None:
    """What the instance says of itself while the request waits is taken in at once."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=1), clock=clock)
    held = acquire(pool)
    clock.at(2.0, lambda: held.close(failed(RateLimitError("x", retry_after=60.0))))
    with pytest.raises(DeadlineExceededError, match="no instance will be ready"):
        pool.acquire(Route(None), deadline(clock, 50.0))
    assert clock.now == 1002.0


def test_the_first_to_be_ready_decides_what_is_hopeless() -> None:
    """One instance in time is enough."""
    clock = ManualClock()
    pool = pool_of(instance(0), instance(1), clock=clock)
    limited(pool, 60.0, 0)
    limited(pool, 5.0, 1)
    assert pool.acquire(Route(None), deadline(clock, 10.0)).instance.id == 1


def test_a_pause_of_the_request_itself_is_waited_out() -> None:
    """A request that must pause waits in the queue, although an instance is free."""
    clock = ManualClock()
    pool, route = pool_of(instance(0), clock=clock), Route(None)
    route.not_before = 1003.0
    pool.acquire(route, deadline(clock))
    assert clock.now == 1003.0


# Waiting in vain


@pytest.mark.parametrize("stall", [20.0, 300.0])
def test_nobody_waits_for_ever_for_what_does_not_come_back(stall: float) -> None:
    """Without a success for `max_stall`, while the only probe hangs, a waiting request is failed."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=1), clock=clock, max_stall=stall)
    down(pool)
    probe = pool.acquire(Route(None), deadline(clock))
    assert probe.probe
    arrived = clock.now
    with pytest.raises(NoInstanceError, match="no instance that could serve the request is ready"):
        pool.acquire(Route(None), deadline(clock))
    assert clock.now == pytest.approx(arrived + stall)
    probe.close(GOOD)
    assert pool.in_flight() == 0


def test_a_slow_instance_is_waited_for_longer_than_that() -> None:
    """An attempt under way at an instance that is not ejected is no stall, however long it takes."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=1), clock=clock, max_stall=20.0)
    held = acquire(pool)
    clock.at(1000.0, lambda: held.close(GOOD))
    pool.acquire(Route(None), deadline(clock))
    assert clock.now == 2000.0


def test_a_cool_down_longer_than_that_is_told_at_once() -> None:
    """A daily limit on the only instance: the request hears of it now, and when to come again."""
    clock = ManualClock()
    pool = pool_of(instance(0), clock=clock, max_stall=100.0)
    limited(pool, 86_400.0)
    with pytest.raises(NoInstanceError, match="nor will be within 3") as caught:
        pool.acquire(Route(None), deadline(clock))
    assert clock.now == 1000.0
    assert caught.value.retry_after is not None
    assert 300.0 <= caught.value.retry_after <= 330.0


@pytest.mark.parametrize("kind", [AuthenticationError, QuotaExceededError, ModelNotFoundError])
def test_the_last_refused_key_fails_those_who_wait(kind: type[LLMError]) -> None:
    """Waiting for somebody to put a key right is vain: they are told as it is refused."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=1), instance(1, max_concurrency=1), clock=clock)
    first, second = acquire(pool), acquire(pool)
    clock.at(1.0, lambda: first.close(failed(kind("HTTP 401"))))
    clock.at(2.0, lambda: second.close(failed(kind("HTTP 401"))))
    with pytest.raises(kind, match="no instance that could serve the request is left") as caught:
        pool.acquire(Route(None), deadline(clock))
    assert clock.now == 1002.0
    assert caught.value.retry_after is not None
    assert 0.0 < caught.value.retry_after <= 300.0


def test_a_refused_key_beside_an_instance_that_is_merely_down_is_no_reason_to_give_up() -> None:
    """Failures pass by themselves: the request waits for the probe of that one."""
    clock = ManualClock()
    pool = pool_of(instance(0), instance(1), clock=clock)
    pool.acquire(only(0), NEVER).close(failed(AuthenticationError("HTTP 401")))
    down(pool, 1)
    lease = pool.acquire(Route(None), deadline(clock))
    assert (lease.instance.id, lease.probe) == (1, True)
    assert 1001.0 <= clock.now <= 1006.0


def test_who_comes_while_a_refused_key_is_tried_again_waits_for_the_answer() -> None:
    """The probe may find that the key has been put right: then both are served."""
    clock = ManualClock()
    pool = pool_of(instance(0), clock=clock)
    acquire(pool).close(failed(AuthenticationError("HTTP 401")))
    clock.advance(60.0)
    probe = acquire(pool)
    clock.at(3.0, lambda: probe.close(GOOD))
    pool.acquire(Route(None), deadline(clock, 50.0))
    assert clock.now == 1063.0


# What an owner forgives


@pytest.mark.parametrize(
    "report",
    [
        failed(RateLimitError("x", retry_after=200.0)),
        failed(QuotaExceededError("x")),
        failed(AuthenticationError("x", status_code=401)),
    ],
    ids=["cooling", "quota", "key"],
)
def test_enabling_forgives_what_an_instance_was_left_alone_for(report: Report) -> None:
    """Whoever enables it has seen to it: the next request goes there at once, as to any other."""
    clock = ManualClock()
    pool = pool_of(instance(0), clock=clock)
    acquire(pool).close(report)
    pool.set_enabled(0, enabled=True)
    lease = acquire(pool)
    assert (lease.probe, clock.now) == (False, 1000.0)
    (snapshot,) = pool.snapshots()
    assert (snapshot.health, snapshot.cooling, snapshot.max_concurrency) == ("closed", 0.0, 64)


def test_enabling_forgives_a_doubt_about_the_key() -> None:
    """The 403s in a row are counted anew."""
    pool = pool_of(instance(0))
    for _ in range(3):
        acquire(pool).close(failed(AuthenticationError("HTTP 403", status_code=403)))
        assert pool.snapshots()[0].health == "closed"
        pool.set_enabled(0, enabled=True)
    for health in ("closed", "open"):
        acquire(pool).close(failed(AuthenticationError("HTTP 403", status_code=403)))
        assert pool.snapshots()[0].health == health


def test_enabling_forgives_failures_and_lets_those_in_who_wait() -> None:
    """An ejected instance that somebody enables serves its queue now, not after its next probe."""
    clock = ManualClock()
    pool = pool_of(instance(0), clock=clock)
    down(pool)
    clock.at(0.1, lambda: pool.set_enabled(0, enabled=True))
    assert not pool.acquire(Route(None), deadline(clock)).probe
    assert clock.now == pytest.approx(1000.1)


def test_what_was_under_way_when_it_was_forgiven_does_not_condemn_it_again() -> None:
    """Answers to the old key, sent before, say nothing of the new one."""
    clock = ManualClock()
    pool = pool_of(instance(0), clock=clock)
    before = [acquire(pool) for _ in range(30)]
    clock.advance(1.0)
    pool.set_enabled(0, enabled=True)
    for lease in before[:15]:
        lease.close(BAD)
    for lease in before[15:]:
        lease.close(failed(AuthenticationError("HTTP 401")))
    assert pool.snapshots()[0].health == "closed"


# Who is served first


def queue(*routes: Route, **fields: Any) -> tuple[Pool, ManualClock, list[Waiter]]:
    """A pool of one instance, full and ejected, and these requests in its queue."""
    clock = ManualClock()
    pool = pool_of(instance(0, **fields), clock=clock)
    down(pool)
    return pool, clock, [pool._scheduler.submit(route) for route in routes]


def tried(attempts: int) -> Route:
    route = Route(None)
    route.attempts = attempts
    return route


def test_a_probe_goes_to_who_has_tried_least() -> None:
    """It may fail, and must not use up the last retry of a request that has failed often."""
    pool, clock, waiters = queue(tried(3), tried(1), tried(2), tried(1))
    clock.advance(5.0)
    pool._scheduler.tick()
    assert [waiter.lease is not None for waiter in waiters] == [False, True, False, False]


def test_all_others_wait_while_an_instance_is_tried() -> None:
    """One probe at a time, as long as it comes back; then all are served in their order."""
    pool, clock, waiters = queue(tried(0), tried(0), tried(0))
    clock.advance(2.0)
    pool._scheduler.tick()
    assert [waiter.lease is not None for waiter in waiters] == [True, False, False]
    assert waiters[0].lease is not None
    waiters[0].lease.close(GOOD)
    assert all(waiter.lease is not None for waiter in waiters)


def test_probes_overlap_only_while_nobody_is_up() -> None:
    """A probe that hangs keeps nobody from trying again after five seconds, where there is no other instance."""
    pool, clock, waiters = queue(tried(0), tried(0), tried(0))
    clock.advance(2.0)
    pool._scheduler.tick()
    clock.advance(7.0)
    pool._scheduler.tick()
    assert [waiter.lease is not None for waiter in waiters] == [True, True, False]


def test_retries_beyond_the_budget_are_put_off_and_none_is_dropped() -> None:
    """With an empty bucket ten retries are made one a second, in the order of their coming."""
    clock = ManualClock()
    pool = pool_of(instance(0), clock=clock)
    while pool._scheduler.budget.take(clock.now) == 0.0:
        pass
    routes = [tried(1) for _ in range(10)]
    for route in routes:
        route.pays = True
    waiters = [pool._scheduler.submit(route) for route in routes]
    fresh = pool._scheduler.submit(tried(0))
    assert fresh.lease is not None  # whoever does not retry does not pay
    served: list[int] = []
    for _ in range(10):
        assert pool._scheduler.wake_at() <= clock.now + 1.0
        clock.advance(1.0)
        pool._scheduler.tick()
        served.append(sum(waiter.lease is not None for waiter in waiters))
    assert served == list(range(1, 11))


# The pool against a naive model


REPORTS = st.sampled_from(
    [
        GOOD,
        Report.unused(),
        BAD,
        failed(RateLimitError("x")),
        failed(RateLimitError("x", retry_after=3.0)),
        failed(OverloadedError("x")),
        failed(RequestError("x", sent=False)),
        failed(AuthenticationError("x")),
        failed(InvalidRequestError("x")),
    ]
)


class PoolMachine(RuleBasedStateMachine):
    """Any sequence of acquire, close, enable, add and time, against the count of open leases."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        first, second = instance(0, max_concurrency=1), instance(1, max_concurrency=2)
        self.pool = pool_of(first, second, strategy="lru", clock=self.clock)
        self.leases: list[Lease] = []
        self.ceilings = [1, 2]

    @rule()
    def acquire(self) -> None:
        """A request with no time to wait gets a place, or there is a reason for each instance."""
        try:
            self.leases.append(self.pool.acquire(Route(None), Deadline.after(self.clock, 0.0)))
        except DeadlineExceededError:
            for s in self.pool.snapshots():
                full = s.in_flight >= s.max_concurrency
                assert not s.enabled or full or s.cooling or s.health != "closed"
        except AuthenticationError:
            assert all(s.health != "closed" for s in self.pool.snapshots() if s.enabled)
        except NoInstanceError:
            assert not any(s.enabled for s in self.pool.snapshots())

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), report=REPORTS)
    def close(self, data: st.DataObject, report: Report) -> None:
        lease = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        lease.close(report)
        lease.close(BAD)

    @rule(seconds=st.sampled_from([0.1, 1.0, 7.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(data=st.data(), enabled=st.booleans())
    def enable(self, data: st.DataObject, enabled: bool) -> None:
        self.pool.set_enabled(data.draw(st.integers(0, len(self.ceilings) - 1)), enabled=enabled)

    @precondition(lambda self: len(self.ceilings) < 5)
    @rule(ceiling=st.integers(1, 3))
    def add(self, ceiling: int) -> None:
        self.pool.add(instance(len(self.ceilings), max_concurrency=ceiling), enabled=True)
        self.ceilings.append(ceiling)

    @invariant()
    def in_flight_is_the_number_of_open_leases_and_within_the_ceilings(self) -> None:
        counts = Counter(lease.instance.id for lease in self.leases)
        for snapshot in self.pool.snapshots():
            assert snapshot.in_flight == counts[snapshot.id]
            assert 0 <= snapshot.in_flight <= self.ceilings[snapshot.id]
            assert 1 <= snapshot.max_concurrency <= self.ceilings[snapshot.id]
        assert self.pool._scheduler.waiters == []
        assert self.pool._places == []


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
