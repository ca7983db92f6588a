"""Rules of the pool: who gets an instance, what is known of it, and what is said where there is none."""

import math
from collections import Counter

import pytest

from flyllm._resilience.classification import Exclusion
from flyllm._routing.lease import Report
from flyllm._routing.route import Route
from flyllm.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    DeadlineExceededError,
    InvalidRequestError,
    LLMError,
    ManagerClosedError,
    NoInstanceError,
    RateLimitError,
    ServerError,
)
from tests.unit.fakes import GOOD, ManualClock, failed, instance
from tests.unit.routing.pools import BAD, NEVER, acquire, only, pool_of

# Choosing


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("burst", [1, 10, 47])
def test_a_burst_spreads_evenly_under_lru(count: int, burst: int) -> None:
    """N requests at once over k equal instances: each gets N/k, one more or less, as they are stamped when chosen."""
    pool = pool_of(*(instance(n) for n in range(count)), strategy="lru")
    leases = [acquire(pool) for _ in range(burst)]
    counts = Counter(lease.instance.id for lease in leases)
    assert all(abs(counts[n] - burst / count) < 1 for n in range(count))


@pytest.mark.parametrize("burst", [6, 12, 60])
def test_weighted_is_exact_in_the_pool(burst: int) -> None:
    """Over every six selections weights of 1, 2 and 3 are kept exactly, also while others are under way."""
    pool = pool_of(*(instance(n, weight=n + 1.0) for n in range(3)), strategy="weighted")
    assert Counter(acquire(pool).instance.id for _ in range(burst)) == {n: burst * (n + 1) // 6 for n in range(3)}


def test_least_busy_fills_the_emptiest() -> None:
    """A place given back is the next to be given."""
    pool = pool_of(*(instance(n) for n in range(3)), strategy="least_busy")
    leases = {lease.instance.id: lease for lease in (acquire(pool) for _ in range(3))}
    assert set(leases) == {0, 1, 2}
    leases[1].close(GOOD)
    assert acquire(pool).instance.id == 1


def test_a_higher_tier_serves_while_none_of_a_lower_one_can() -> None:
    """Backups of priority 1 and 2 are used when the primary is full, disabled, cooling or ejected, in this order."""
    clock = ManualClock()
    pool = pool_of(
        instance(0, priority=2), instance(1, priority=1), instance(2, max_concurrency=1), strategy="lru", clock=clock
    )
    primary = acquire(pool)
    assert primary.instance.id == 2
    assert acquire(pool).instance.id == 1
    pool.set_enabled(1, enabled=False)
    assert acquire(pool).instance.id == 0
    pool.set_enabled(1, enabled=True)
    primary.close(failed(RateLimitError("x", retry_after=10.0)))
    assert acquire(pool).instance.id == 1
    clock.advance(11.0)
    primary = acquire(pool)
    assert primary.instance.id == 2
    primary.close(failed(AuthenticationError("x")))
    assert acquire(pool).instance.id == 1


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
    lease.close(BAD)
    route.mark_tried(lease.instance, again=False)
    assert pool.acquire(route, NEVER).instance.id == 1


def test_a_request_does_not_wait_for_what_is_left_alone_to_have_tried_it() -> None:
    """An untried instance that cools is no reason to pass by the one that was tried and is up."""
    pool = pool_of(instance(0), instance(1))
    acquire(pool).close(failed(RateLimitError("x", retry_after=200.0)))
    route = Route(None)
    route.mark_tried(instance(1), again=False)
    assert pool.earliest(route, fresh=True) == math.inf
    assert pool.acquire(route, NEVER).instance.id == 1


def test_the_reason_tells_choice_failover_and_retry_apart() -> None:
    """The ledger says whether the strategy chose, or a failure, and whether it is the same instance again."""
    pool = pool_of(instance(0), instance(1))
    route, reasons = Route(None), []
    for _ in range(4):
        lease = pool.acquire(route, NEVER)
        reasons.append(lease.reason)
        lease.close(BAD)
        route.mark_tried(lease.instance, again=False)
        if len(route.tried) == 2:
            route.start_over()
    assert reasons == ["first", "failover", "failover", "failover"]
    alone, route = pool_of(instance(0)), Route(None)
    first = alone.acquire(route, NEVER)
    route.mark_tried(first.instance, again=False)
    assert alone.acquire(route, NEVER).reason == "retry"


def test_eligible_counts_the_busy_and_not_the_disabled_or_excluded() -> None:
    """Whether a request may still go somewhere does not depend on who is busy now."""
    pool = pool_of(instance(0, max_concurrency=1), instance(1), instance(2))
    acquire(pool)
    pool.set_enabled(1, enabled=False)
    route = Route(None)
    assert pool.eligible(route) == [0, 2]
    route.exclude(instance(2), Exclusion.INSTANCE)
    assert pool.eligible(route) == [0]


# Ceilings, waiting, hand-off


def test_a_full_instance_is_not_chosen() -> None:
    """The strategy sees only instances with a free place."""
    pool = pool_of(instance(0, max_concurrency=2), instance(1))
    assert [acquire(pool).instance.id for _ in range(4)] == [0, 0, 1, 1]


def test_outcomes_are_written_down_and_what_was_given_up_is_not() -> None:
    """A snapshot counts what says something about the instance, and shows its latency."""
    clock = ManualClock()
    pool = pool_of(instance(0), clock=clock)
    for report in (GOOD, failed(ServerError("x"), 2.0), Report.nothing(99.0)):
        acquire(pool).close(report)
    (snapshot,) = pool.snapshots()
    assert (snapshot.requests, snapshot.failures, snapshot.in_flight) == (2, 1, 0)
    assert snapshot.latency == 5.0
    assert snapshot.latency_updated == clock.now


@pytest.mark.parametrize("kind", [InvalidRequestError, ContextLengthError, ContentFilterError])
def test_a_refused_request_says_nothing_of_its_instance(kind: type[LLMError]) -> None:
    """A client that sends rubbish makes no healthy instance look ill or slow."""
    pool = pool_of(instance(0))
    acquire(pool).close(failed(kind("x")))
    (snapshot,) = pool.snapshots()
    assert (snapshot.requests, snapshot.failures, snapshot.latency) == (0, 0, None)


def test_a_snapshot_shows_the_state_of_health() -> None:
    """Priority and weight as configured; the ceiling as learned; health and cool-down as they are just now."""
    clock = ManualClock()
    pool = pool_of(instance(0, priority=2, weight=3.0, max_concurrency=8), instance(1), clock=clock)
    (before, _) = pool.snapshots()
    assert (before.priority, before.weight, before.max_concurrency) == (2, 3.0, 8)
    assert (before.health, before.cooling, before.enabled) == ("closed", 0.0, True)
    leases = [pool.acquire(only(1), NEVER) for _ in range(2)]
    leases[0].close(failed(RateLimitError("x", retry_after=10.0)))
    (_, limited) = pool.snapshots()
    assert (limited.health, limited.max_concurrency) == ("closed", 1)
    assert 10.0 <= limited.cooling <= 11.0
    clock.advance(20.0)
    leases[1].close(failed(AuthenticationError("x")))
    (_, ejected) = pool.snapshots()
    assert (ejected.health, ejected.cooling) == ("open", 0.0)
    clock.advance(60.0)
    probe = pool.acquire(only(1), NEVER)
    assert (probe.reason, probe.probe, pool.snapshots()[1].health) == ("probe", True, "half_open")
    probe.close(GOOD)
    assert pool.snapshots()[1].health == "closed"


def test_an_unknown_id_is_a_key_error() -> None:
    """The façade turns ids into errors for people; below it they are keys."""
    with pytest.raises(KeyError):
        pool_of().set_enabled(3, enabled=True)


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
    route.exclude(instance(0), Exclusion.INSTANCE)
    with pytest.raises(NoInstanceError, match="has refused it"):
        pool.acquire(route, NEVER)


def test_every_error_of_the_pool_is_an_llm_error() -> None:
    """Whoever catches LLMError catches what the pool raises."""
    assert all(issubclass(k, LLMError) for k in (NoInstanceError, DeadlineExceededError, ManagerClosedError))
