"""The pool under real threads: ceilings, fairness, order, and no place lost."""

import threading
from collections import Counter
from typing import Any

import pytest

from flyllm._clock import SystemClock
from flyllm._resilience.classification import Exclusion
from flyllm._resilience.deadline import Deadline
from flyllm._routing.lease import Lease, Report
from flyllm._routing.pool import Pool
from flyllm._routing.route import Route
from flyllm._routing.strategies import strategy_named
from flyllm.errors import DeadlineExceededError, ManagerClosedError, NoInstanceError, RateLimitError
from tests.concurrency.threads import HANG, together, until
from tests.unit.fakes import GOOD, instance


def pool_of(*ceilings: int, strategy: Any = "lru", tasks: Any = ()) -> Pool:
    clock = SystemClock()
    foreign = not isinstance(strategy, str)
    pool = Pool(strategy if foreign else strategy_named(strategy, clock), clock, foreign_strategy=foreign)
    for number, ceiling in enumerate(ceilings):
        pool.add(instance(number, max_concurrency=ceiling, tasks=frozenset(tasks)), enabled=True)
    return pool


def acquire(pool: Pool, seconds: float | None = HANG) -> Lease:
    return pool.acquire(Route(None), Deadline.after(SystemClock(), seconds))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_burst_from_32_threads_spreads_evenly(count: int) -> None:
    """Under lru each of k instances gets N/k of a burst, one more or less, whichever threads come first."""
    pool, chosen = pool_of(*[64] * count), []
    together([lambda: chosen.append(acquire(pool).instance.id)] * 32)
    counts = Counter(chosen)
    assert all(abs(counts[n] - 32 / count) < 1 for n in range(count))


@pytest.mark.parametrize("strategy", ["lru", "random", "lowest_latency", "round_robin", "weighted", "least_busy"])
def test_the_ceilings_hold_and_every_place_comes_back(strategy: str) -> None:
    """Never more leases than max_concurrency per instance, all requests served, none in flight in the end."""
    pool = pool_of(1, 2, 5, strategy=strategy)
    lock, now, peak, served = threading.Lock(), Counter[int](), Counter[int](), Counter[int]()

    def work() -> None:
        for _ in range(25):
            lease = acquire(pool)
            number = lease.instance.id
            with lock:
                now[number] += 1
                served[number] += 1
                peak[number] = max(peak[number], now[number])
            with lock:
                now[number] -= 1
            lease.close(GOOD)

    together([work] * 24)
    assert sum(served.values()) == 24 * 25
    assert all(peak[n] <= ceiling for n, ceiling in enumerate((1, 2, 5)))
    assert pool.in_flight() == 0
    assert pool._scheduler.waiters == []


def test_no_place_is_idle_while_somebody_waits() -> None:
    """Whenever a waiter is in the queue every instance it may use is full."""
    pool, stop = pool_of(1, 2), threading.Event()

    def watch() -> None:
        while not stop.is_set():
            with pool._lock:
                assert not pool._scheduler.waiters or all(
                    s.in_flight == s.max_concurrency for s in pool._scheduler.states.values()
                )

    left = [12]

    def work() -> None:
        for _ in range(40):
            acquire(pool).close(GOOD)
        with pool._lock:
            left[0] -= 1
        if not left[0]:
            stop.set()

    together([watch, *[work] * 12])


def test_waiters_are_served_in_the_order_of_their_coming() -> None:
    """A place goes to the longest waiting; a newcomer does not overtake."""
    pool, order, threads = pool_of(1), [], []
    held = acquire(pool)

    def work(number: int) -> None:
        lease = acquire(pool)
        order.append(number)
        lease.close(GOOD)

    for number in range(12):
        thread = threading.Thread(target=work, args=(number,), daemon=True)
        thread.start()
        threads.append(thread)
        until(lambda number=number: len(pool._scheduler.waiters) == number + 1)  # type: ignore[misc]
    held.close(GOOD)
    for thread in threads:
        thread.join(HANG)
    assert order == list(range(12))


def test_a_waiter_for_another_task_does_not_block_the_queue() -> None:
    """A place that the first waiter cannot use goes to the next who can."""
    clock = SystemClock()
    pool = Pool(strategy_named("lru", clock), clock, foreign_strategy=False)
    pool.add(instance(0, max_concurrency=1, tasks=frozenset({"a"})), enabled=True)
    pool.add(instance(1, max_concurrency=1, tasks=frozenset({"b"})), enabled=True)
    held = {task: pool.acquire(Route(task), Deadline.after(clock, HANG)) for task in ("a", "b")}
    got: list[str] = []

    def wait(task: str) -> None:
        pool.acquire(Route(task), Deadline.after(clock, HANG))
        got.append(task)

    threads = []
    for task in ("a", "b"):
        threads.append(threading.Thread(target=wait, args=(task,), daemon=True))
        threads[-1].start()
        until(lambda: len(pool._scheduler.waiters) == len(threads))
    held["b"].close(GOOD)
    threads[1].join(HANG)
    assert got == ["b"]
    held["a"].close(GOOD)
    threads[0].join(HANG)
    assert got == ["b", "a"]


def test_the_watch_over_time_is_passed_on_when_the_first_in_the_queue_leaves() -> None:
    """Only the first waits for cool-downs to end; when its own deadline takes it away the next one does."""
    pool, clock = pool_of(1, 8), SystemClock()
    first_only, second_only = Route(None), Route(None)
    first_only.exclude(instance(1), Exclusion.INSTANCE)
    second_only.exclude(instance(0), Exclusion.INSTANCE)
    held = pool.acquire(first_only, Deadline.after(clock, HANG))
    refused = pool.acquire(second_only, Deadline.after(clock, HANG))
    refused.close(Report.failure(0.0, RateLimitError("x", retry_after=0.4)))
    began, served = clock.monotonic(), list[float]()

    def give_up() -> None:
        with pytest.raises(DeadlineExceededError):
            pool.acquire(first_only, Deadline.after(clock, 0.2))

    def wait() -> None:
        until(lambda: bool(pool._places))
        lease = acquire(pool)
        served.append(clock.monotonic() - began)
        lease.close(GOOD)

    together([give_up, wait, wait, wait])
    assert len(served) == 3
    assert all(0.39 <= seconds < 20.0 for seconds in served)
    held.close(GOOD)
    assert pool.in_flight() == 0


def test_a_lease_closed_by_many_threads_is_closed_once() -> None:
    """A stream may be closed by its consumer, another thread and the reaper at the same moment."""
    pool = pool_of(100)
    leases = [acquire(pool) for _ in range(100)]

    def close_all() -> None:
        for lease in leases:
            lease.close(GOOD)

    together([close_all] * 8)
    (snapshot,) = pool.snapshots()
    assert (snapshot.in_flight, snapshot.requests) == (0, 100)


def test_closing_the_pool_frees_all_waiters() -> None:
    """Everybody who waits is told at once."""
    pool, outcomes = pool_of(1), []
    held = acquire(pool)

    def wait() -> None:
        try:
            acquire(pool, None)
        except ManagerClosedError:
            outcomes.append("closed")

    def close() -> None:
        until(lambda: len(pool._scheduler.waiters) == 10)
        pool.close()

    together([*[wait] * 10, close])
    assert outcomes == ["closed"] * 10
    held.close(GOOD)
    assert pool.in_flight() == 0


def test_enabling_and_disabling_under_load_loses_nobody() -> None:
    """Every request is served or told that nobody is enabled, while an owner toggles instances; no place is lost."""
    pool, results, stop = pool_of(1, 1), Counter[str](), threading.Event()
    lock, left = threading.Lock(), [10]

    def work() -> None:
        for _ in range(30):
            try:
                acquire(pool).close(GOOD)
                found = "served"
            except NoInstanceError:
                found = "refused"
            with lock:
                results[found] += 1
        with lock:
            left[0] -= 1
            if not left[0]:
                stop.set()

    def toggle() -> None:
        enabled = False
        while not stop.is_set():
            for number in (0, 1):
                pool.set_enabled(number, enabled=enabled)
            enabled = not enabled
        for number in (0, 1):
            pool.set_enabled(number, enabled=True)

    together([toggle, *[work] * 10])
    assert sum(results.values()) == 300
    assert results["served"]
    assert pool.in_flight() == 0
    assert pool._scheduler.waiters == []


def test_deadlines_under_contention_leak_no_place() -> None:
    """Waiters that give up while a place is handed to them either use it or give it back."""
    pool, outcomes = pool_of(2), Counter[str]()
    lock = threading.Lock()

    def work() -> None:
        for n in range(20):
            try:
                acquire(pool, 0.0005 * (n % 4)).close(GOOD)
                found = "served"
            except DeadlineExceededError:
                found = "late"
            with lock:
                outcomes[found] += 1

    together([work] * 16)
    assert sum(outcomes.values()) == 320
    assert pool.in_flight() == 0
    assert pool._scheduler.waiters == []


def test_a_users_strategy_under_contention_is_never_under_the_lock() -> None:
    """It may look at all instances at any time; ceilings hold although its choices collide."""

    class Nosy:
        def select(self, candidates: Any) -> Any:
            assert len(pool.snapshots()) == 3
            return candidates[0]

    pool = pool_of(1, 1, 2, strategy=Nosy())

    def work() -> None:
        for _ in range(30):
            lease = acquire(pool)
            assert all(s.in_flight <= s.max_concurrency for s in pool.snapshots())
            lease.close(GOOD)

    together([work] * 16)
    assert pool.in_flight() == 0
