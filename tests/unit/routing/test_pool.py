"""Rules of the pool: who gets an instance, and when."""

import math
import threading
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flyllm._resilience.classification import Exclusion
from flyllm._resilience.deadline import Deadline
from flyllm._routing.instance import Instance
from flyllm._routing.lease import Lease, Outcome
from flyllm._routing.pool import Pool
from flyllm._routing.route import Route
from flyllm._routing.strategies import strategy_named
from flyllm.errors import ConfigError, DeadlineExceededError, LLMError, ManagerClosedError, NoInstanceError
from tests.unit.fakes import First, ManualClock, instance


def pool_of(*instances: Instance, strategy: Any = None, clock: ManualClock | None = None) -> Pool:
    clock = clock or ManualClock()
    foreign = strategy is not None and not isinstance(strategy, str)
    chosen = strategy if foreign else strategy_named(strategy, clock) if strategy else First()
    pool = Pool(chosen, clock, foreign_strategy=foreign)
    for item in instances:
        pool.add(item, enabled=True)
    return pool


def deadline(clock: ManualClock, seconds: float | None = None) -> Deadline:
    return Deadline.after(clock, seconds)


NEVER = Deadline(ManualClock(), math.inf)


def acquire(pool: Pool, task: str | None = None) -> Lease:
    return pool.acquire(Route(task), NEVER)


# Choosing


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("burst", [1, 10, 47])
def test_a_burst_spreads_evenly_under_lru(count: int, burst: int) -> None:
    """N requests at once over k equal instances: each gets N/k, one more or less, as they are stamped when chosen."""
    pool = pool_of(*(instance(n) for n in range(count)), strategy="lru")
    leases = [acquire(pool) for _ in range(burst)]
    counts = Counter(lease.instance.id for lease in leases)
    assert all(abs(counts[n] - burst / count) < 1 for n in range(count))


def test_lru_keeps_its_order_while_nothing_is_given_back() -> None:
    """The order of the first round is the order of all rounds."""
    pool = pool_of(*(instance(n) for n in range(4)), strategy="lru")
    order = [acquire(pool).instance.id for _ in range(12)]
    assert order[:4] == order[4:8] == order[8:]
    assert sorted(order[:4]) == [0, 1, 2, 3]


def test_the_first_choice_differs_between_processes() -> None:
    """Workers that start together do not all begin with the same instance."""
    first = {
        acquire(pool_of(*(instance(n) for n in range(4)), strategy="lru", clock=ManualClock(seed))).instance.id
        for seed in range(40)
    }
    assert first == {0, 1, 2, 3}


def test_an_instance_added_later_gets_its_turn_and_no_flood() -> None:
    """A newcomer is chosen once, then takes its place in the order."""
    pool = pool_of(instance(0), instance(1), strategy="lru")
    for _ in range(10):
        acquire(pool)
    pool.add(instance(2), enabled=True)
    assert Counter(acquire(pool).instance.id for _ in range(9)) == {0: 3, 1: 3, 2: 3}


def test_a_request_prefers_what_it_has_not_tried() -> None:
    """Failover goes elsewhere, even where the strategy would go back."""
    pool = pool_of(instance(0), instance(1))
    route = Route(None)
    lease = pool.acquire(route, NEVER)
    assert (lease.instance.id, lease.reason) == (0, "first")
    lease.close(Outcome.FAILURE, 0.1)
    route.mark_tried(lease.instance, None)
    assert pool.acquire(route, NEVER).instance.id == 1


def test_the_reason_tells_choice_failover_and_retry_apart() -> None:
    """The ledger says whether the strategy chose, or a failure, and whether it is the same instance again."""
    pool = pool_of(instance(0), instance(1))
    route, reasons = Route(None), []
    for _ in range(4):
        lease = pool.acquire(route, NEVER)
        reasons.append(lease.reason)
        lease.close(Outcome.FAILURE, 0.1)
        route.mark_tried(lease.instance, None)
        if len(route.tried) == 2:
            route.start_over(pool.eligible(route), 0.0, 0.0)
    assert reasons == ["first", "failover", "failover", "failover"]
    alone, route = pool_of(instance(0)), Route(None)
    first = alone.acquire(route, NEVER)
    route.mark_tried(first.instance, None)
    assert alone.acquire(route, NEVER).reason == "retry"


def test_eligible_counts_the_busy_and_not_the_disabled_or_excluded() -> None:
    """Whether a request may still go somewhere does not depend on who is busy now."""
    pool = pool_of(instance(0, max_concurrency=1), instance(1), instance(2))
    acquire(pool)
    pool.set_enabled(1, enabled=False)
    route = Route(None)
    assert pool.eligible(route) == [0, 2]
    route.exclude(pool.instance(2), Exclusion.INSTANCE)
    assert pool.eligible(route) == [0]


# Ceilings, waiting, hand-off


def test_a_full_instance_is_not_chosen() -> None:
    """The strategy sees only instances with a free place."""
    pool = pool_of(instance(0, max_concurrency=2), instance(1))
    assert [acquire(pool).instance.id for _ in range(4)] == [0, 0, 1, 1]


def test_a_waiter_gets_the_place_that_becomes_free() -> None:
    """A request that finds all full waits until a lease is closed."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=1), clock=clock)
    first = acquire(pool)
    clock.at(3.0, lambda: first.close(Outcome.SUCCESS, 3.0))
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
    held.close(Outcome.SUCCESS, 7.0)
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
        clock.at(1.0, lambda: held.close(Outcome.SUCCESS, 1.0))
        lease = pool.acquire(Route(None), deadline(clock, 2.0))
    finally:
        threading.Event = original  # type: ignore[misc]
    lease.close(Outcome.SUCCESS, 0.0)
    assert pool.in_flight() == 0


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("granted", [False, True])
def test_an_interrupt_while_waiting_leaks_nothing(interrupt: type[BaseException], granted: bool) -> None:
    """Ctrl-C takes the waiter out of the queue and gives back a place that came at the same moment."""
    clock = ManualClock()
    pool = pool_of(instance(0, max_concurrency=1), clock=clock)
    held = acquire(pool)

    def fire() -> None:
        if granted:
            held.close(Outcome.SUCCESS, 1.0)
        raise interrupt

    clock.at(1.0, fire)
    with pytest.raises(interrupt):
        pool.acquire(Route(None), deadline(clock))
    held.close(Outcome.SUCCESS, 1.0)
    assert pool.in_flight() == 0
    acquire(pool).close(Outcome.SUCCESS, 0.0)
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
    held.close(Outcome.SUCCESS, 1.0)
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
    clock.at(2.0, lambda: held[0].close(Outcome.SUCCESS, 2.0))
    clock.at(3.0, lambda: held[1].close(Outcome.SUCCESS, 3.0))
    lease = pool.acquire(Route(None), deadline(clock))
    assert (lease.instance.id, clock.now) == (1, 1003.0)


def test_a_newcomer_does_not_queue_behind_those_who_wait_for_something_else() -> None:
    """A free place is taken at once by whoever can use it, although others wait for another task."""
    clock = ManualClock()
    pool = pool_of(
        instance(0, max_concurrency=1, tasks=frozenset({"a"})), instance(1, tasks=frozenset({"b"})), clock=clock
    )
    held = acquire(pool, "a")
    clock.at(1.0, lambda: served.append((acquire(pool, "b").instance.id, clock.now)))
    clock.at(2.0, lambda: held.close(Outcome.SUCCESS, 2.0))
    served: list[tuple[int, float]] = []
    pool.acquire(Route("a"), deadline(clock))
    assert served == [(1, 1001.0)]


def test_a_waiter_whose_last_hope_goes_may_return_to_what_it_tried() -> None:
    """It waited for an untried instance; when that is disabled it takes a tried one, chosen without user code."""
    clock = ManualClock()

    def guard(candidates: Any) -> Any:
        assert not pool._lock.locked()
        return candidates[-1]

    pool = pool_of(instance(0), instance(1), instance(2, max_concurrency=1), strategy=Picks(guard), clock=clock)
    acquire(pool)
    route = Route(None)
    route.mark_tried(pool.instance(0), None)
    route.mark_tried(pool.instance(1), None)
    clock.at(1.0, lambda: pool.set_enabled(2, enabled=False))
    assert pool.acquire(route, deadline(clock)).instance.id == 0


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


def test_outcomes_are_written_down_and_ignored_ones_are_not() -> None:
    """A snapshot counts what says something about the instance, and shows its latency."""
    clock = ManualClock()
    pool = pool_of(instance(0), clock=clock)
    for outcome, seconds in ((Outcome.SUCCESS, 1.0), (Outcome.FAILURE, 2.0), (Outcome.IGNORED, 99.0)):
        acquire(pool).close(outcome, seconds)
    (snapshot,) = pool.snapshots()
    assert (snapshot.requests, snapshot.failures, snapshot.in_flight) == (2, 1, 0)
    assert snapshot.latency == 5.0
    assert snapshot.latency_updated == clock.now


def test_an_unknown_id_is_a_key_error() -> None:
    """The façade turns ids into errors for people; below it they are keys."""
    with pytest.raises(KeyError):
        pool_of().set_enabled(3, enabled=True)
    with pytest.raises(KeyError):
        pool_of().instance(3)


# What the errors say


def test_an_empty_pool_says_so() -> None:
    """No instances at all is told apart from none for the task."""
    with pytest.raises(NoInstanceError, match=r"^the manager has no instances: add one with add_instance\(\)$"):
        acquire(pool_of())


def test_an_unknown_task_names_the_known_ones() -> None:
    """A misspelt task can be corrected from the message."""
    pool = pool_of(instance(0, tasks=frozenset({"summary", "chat"})), instance(1))
    with pytest.raises(NoInstanceError, match=r"^no instance supports task 'sumary'\. Supported tasks: chat, summary$"):
        acquire(pool, "sumary")
    with pytest.raises(NoInstanceError, match="Supported tasks: none"):
        acquire(pool_of(instance(1)), "x")


def test_all_disabled_names_them() -> None:
    """The message says which instances to enable, of the task only those that serve it."""
    pool = pool_of(instance(0, tasks=frozenset({"chat"})), instance(1))
    pool.set_enabled(0, enabled=False)
    with pytest.raises(
        NoInstanceError,
        match=r"^all instances that support task 'chat' are disabled: i0. Enable one with manager.enable\(...\)$",
    ):
        acquire(pool, "chat")
    assert acquire(pool).instance.id == 1


def test_all_excluded_says_that_they_refused() -> None:
    """A request that everybody refused is not told that nobody serves its task."""
    pool, route = pool_of(instance(0)), Route(None)
    route.exclude(pool.instance(0), Exclusion.INSTANCE)
    with pytest.raises(NoInstanceError, match="has refused it"):
        pool.acquire(route, NEVER)


# Strategies of users


class Picks:
    """A strategy of a user: calls `choose` with the candidates."""

    def __init__(self, choose: Any) -> None:
        self._choose = choose

    def select(self, candidates: Any) -> Any:
        return self._choose(candidates)


def test_a_users_strategy_gets_snapshots_of_what_is_free() -> None:
    """It sees immutable copies of the admissible instances only, and its choice is taken."""
    seen: list[Any] = []

    def last(candidates: list[Any]) -> Any:
        seen.append(candidates)
        return candidates[-1]

    pool = pool_of(instance(0), instance(1, max_concurrency=1), instance(2), strategy=Picks(last))
    pool.set_enabled(2, enabled=False)
    assert [acquire(pool).instance.id for _ in range(3)] == [1, 0, 0]
    assert [[c.id for c in candidates] for candidates in seen] == [[0, 1], [0], [0]]
    with pytest.raises(AttributeError):
        seen[0][0].in_flight = 5


def test_a_users_strategy_is_called_outside_the_lock() -> None:
    """It may ask the pool for anything without a deadlock, also when a place becomes free meanwhile."""
    held: list[Lease] = []

    def nosy(candidates: Any) -> Any:
        assert pool.snapshots()
        assert not pool._lock.locked()
        return candidates[0]

    pool = pool_of(instance(0, max_concurrency=1), instance(1, max_concurrency=1), strategy=Picks(nosy))
    held += [acquire(pool), acquire(pool)]
    assert {lease.instance.id for lease in held} == {0, 1}


def test_a_choice_that_was_taken_meanwhile_is_asked_for_again() -> None:
    """Where another thread was faster the strategy chooses anew among what is left."""
    asked: list[list[int]] = []

    def slow(candidates: Any) -> Any:
        asked.append([c.id for c in candidates])
        if len(asked) == 1:
            rival.append(pool._take(pool._states[0], Route(None)))  # what another thread would have done by now
        return candidates[0]

    rival: list[Lease] = []
    pool = pool_of(instance(0, max_concurrency=1), instance(1, max_concurrency=1), strategy=Picks(slow))
    assert acquire(pool).instance.id == 1
    assert asked == [[0, 1], [1]]


@pytest.mark.parametrize("bad", [None, 0, "i0", object(), [], {"id": 0}, instance(0), instance(7)])
def test_a_users_strategy_that_returns_rubbish_is_told_so(bad: object) -> None:
    """Anything but a candidate is a configuration error that names the strategy; no place is taken."""
    pool = pool_of(instance(0), strategy=Picks(lambda candidates: bad))
    with pytest.raises(ConfigError, match="strategy 'Picks' must return one of its candidates, it returned"):
        acquire(pool)
    assert pool.in_flight() == 0


def test_a_candidate_of_another_pool_is_rubbish_too() -> None:
    """A snapshot that was not offered is refused, by its id."""
    foreign = pool_of(instance(9)).snapshots()[0]
    pool = pool_of(instance(0), strategy=Picks(lambda candidates: foreign))
    with pytest.raises(ConfigError, match="it returned i9"):
        acquire(pool)


def test_a_users_strategy_that_raises_fails_the_request_only() -> None:
    """Its exception is the cause of a clear error; nothing is leaked and the next request works."""
    fail = [ZeroDivisionError("division by zero")]

    def broken(candidates: Any) -> Any:
        if fail:
            raise fail.pop()
        return candidates[0]

    pool = pool_of(instance(0, max_concurrency=1), strategy=Picks(broken))
    with pytest.raises(ConfigError, match="the strategy 'Picks' failed: ZeroDivisionError: division by zero") as caught:
        acquire(pool)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert pool.in_flight() == 0
    assert acquire(pool).instance.id == 0


def test_the_reason_is_the_strategys_name_or_its_class() -> None:
    """A user's strategy shows up in the ledger under its own name."""
    named = Picks(lambda candidates: candidates[0])
    assert acquire(pool_of(instance(0), strategy=named)).reason == "Picks"
    named.name = "mine"  # type: ignore[attr-defined]
    assert acquire(pool_of(instance(0), strategy=named)).reason == "mine"


def test_waiters_are_served_without_asking_a_users_strategy() -> None:
    """A hand-off happens under the lock, where no code of the user runs."""
    clock = ManualClock()

    def guard(candidates: Any) -> Any:
        assert not pool._lock.locked()
        return candidates[0]

    pool = pool_of(instance(0, max_concurrency=1), strategy=Picks(guard), clock=clock)
    held = acquire(pool)
    clock.at(1.0, lambda: held.close(Outcome.SUCCESS, 1.0))
    assert pool.acquire(Route(None), deadline(clock)).instance.id == 0


# The pool against a naive model


class PoolMachine(RuleBasedStateMachine):
    """Any sequence of acquire, close, enable and add, with waiters kept as the pool keeps them."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = pool_of(instance(0, max_concurrency=1), instance(1, max_concurrency=2), strategy="lru")
        self.leases: list[Lease] = []
        self.count = 2

    @rule()
    def acquire(self) -> None:
        """A request with no time to wait either gets a place or all are full."""
        clock = ManualClock()
        try:
            self.leases.append(self.pool.acquire(Route(None), Deadline.after(clock, 0.0)))
        except DeadlineExceededError:
            assert all(not s.enabled or s.in_flight == s.max_concurrency for s in self.pool.snapshots())
        except NoInstanceError:
            assert not any(s.enabled for s in self.pool.snapshots())

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def close(self, data: st.DataObject, outcome: Outcome) -> None:
        lease = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        lease.close(outcome, 1.0)
        lease.close(Outcome.FAILURE, 9.0)

    @rule(data=st.data(), enabled=st.booleans())
    def enable(self, data: st.DataObject, enabled: bool) -> None:
        self.pool.set_enabled(data.draw(st.integers(0, self.count - 1)), enabled=enabled)

    @precondition(lambda self: self.count < 5)
    @rule(ceiling=st.integers(1, 3))
    def add(self, ceiling: int) -> None:
        self.pool.add(instance(self.count, max_concurrency=ceiling), enabled=True)
        self.count += 1

    @invariant()
    def in_flight_is_the_number_of_open_leases_and_within_the_ceilings(self) -> None:
        counts = Counter(lease.instance.id for lease in self.leases)
        for snapshot in self.pool.snapshots():
            assert snapshot.in_flight == counts[snapshot.id]
            assert 0 <= snapshot.in_flight <= snapshot.max_concurrency
        assert self.pool._waiters == []


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def test_every_error_of_the_pool_is_an_llm_error() -> None:
    """Whoever catches LLMError catches what the pool raises."""
    assert all(issubclass(k, LLMError) for k in (NoInstanceError, DeadlineExceededError, ManagerClosedError))
