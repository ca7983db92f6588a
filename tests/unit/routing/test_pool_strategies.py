"""Rules of a user's own strategy in the pool: what it sees, when it is asked, and what its faults cost."""

from typing import Any

import pytest

from flyllm._routing.lease import Lease
from flyllm._routing.route import Route
from flyllm.errors import ConfigError, RequestError
from tests.unit.fakes import GOOD, ManualClock, failed, instance
from tests.unit.routing.pools import BAD, NEVER, acquire, deadline, only, pool_of


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
            rival.append(
                pool._scheduler.take(pool._scheduler.states[0], Route(None), 1000.0)
            )  # what another thread would have done by now
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
    clock.at(1.0, lambda: held.close(GOOD))
    assert pool.acquire(Route(None), deadline(clock)).instance.id == 0


def test_a_users_strategy_chooses_for_retries_too() -> None:
    """After a failure it is asked among the untried, and the retry is paid for once, however often it is asked."""
    asked: list[list[int]] = []

    def last(candidates: list[Any]) -> Any:
        asked.append([c.id for c in candidates])
        if len(asked) == 2:
            rival.append(pool._scheduler.take(pool._scheduler.states[2], Route(None), 1000.0))
        return candidates[-1]

    rival: list[Lease] = []
    pool = pool_of(instance(0), instance(1), instance(2, max_concurrency=1), instance(3), strategy=Picks(last))
    route = Route(None)
    first = pool.acquire(route, NEVER)
    first.close(BAD)
    route.mark_tried(first.instance, again=False)
    route.pays = True
    assert pool.acquire(route, NEVER).instance.id == 1
    assert asked == [[0, 1, 2, 3], [0, 1, 2], [0, 1]]
    assert pool._scheduler.budget.spent == 1


def test_a_pause_comes_before_the_users_strategy() -> None:
    """It is not asked for a request that must wait, nor for one without a token."""
    clock, route = ManualClock(), Route(None)
    pool = pool_of(instance(0), strategy=Picks(lambda candidates: candidates[0]), clock=clock)
    route.not_before = 1002.0
    pool.acquire(route, NEVER)
    assert clock.now == 1002.0
    while pool._scheduler.budget.take(clock.now) == 0.0:
        pass
    route.pays = True
    pool.acquire(route, NEVER)
    assert clock.now == pytest.approx(1003.0)


def test_an_ejected_instance_is_tried_again_also_under_a_users_strategy() -> None:
    """The strategy sees only those that are up, so a due probe is given past it; else nobody would ever come back."""
    clock = ManualClock()
    pool = pool_of(instance(0), instance(1), strategy=Picks(lambda candidates: candidates[-1]), clock=clock)
    for _ in range(5):
        pool.acquire(only(0), NEVER).close(failed(RequestError("refused", sent=False)))
    assert [acquire(pool).instance.id for _ in range(3)] == [1, 1, 1]
    clock.advance(2.0)
    probe = acquire(pool)
    assert (probe.instance.id, probe.reason) == (0, "probe")
    assert acquire(pool).instance.id == 1
    probe.close(GOOD)
    assert [s.health for s in pool.snapshots()] == ["closed", "closed"]


def test_a_users_strategy_sees_one_tier_only() -> None:
    """Backups are offered when no primary is free."""
    seen: list[list[int]] = []

    def first(candidates: list[Any]) -> Any:
        seen.append([c.id for c in candidates])
        return candidates[0]

    pool = pool_of(instance(0, priority=1), instance(1, max_concurrency=1), strategy=Picks(first))
    assert [acquire(pool).instance.id for _ in range(2)] == [1, 0]
    assert seen == [[1], [0]]
