"""The pool of instances: the scheduler behind a lock, and the threads that wait for it.

A place that becomes free is handed directly to the request it was given to, so none is idle while somebody who could
use it waits, and a newcomer cannot overtake. There is no timer thread: the first in the queue sleeps until time alone
may change something, and takes in then what it did.
"""

import math
import threading
from collections.abc import Sequence
from contextlib import ExitStack

from flyllm._clock import Clock
from flyllm._resilience.budget import RetryBudget
from flyllm._resilience.deadline import Deadline
from flyllm._routing.instance import Instance, InstanceSnapshot, InstanceState, PoolSnapshot
from flyllm._routing.lease import Lease, Report
from flyllm._routing.route import Route
from flyllm._routing.scheduler import Scheduler
from flyllm._routing.strategies import Strategy
from flyllm._routing.waiter import Waiter
from flyllm.errors import ConfigError, DeadlineExceededError, ManagerClosedError
from flyllm.observability.events import InstanceEvent

LONG = 1.0
"""Seconds that are more than a request's own pause."""

HEDGE_AFTER = 1.0
"""Seconds that an attempt is given at least before another one is made beside it."""


class Pool:
    """All instances of a manager.

    A strategy of ours chooses under the lock. A `foreign_strategy`, the user's, gets snapshots outside it; only where
    a waiter is handed a place is it not asked, since there is then but one place to give.
    """

    def __init__(
        self,
        strategy: Strategy,
        clock: Clock,
        *,
        foreign_strategy: bool,
        max_stall: float = 300.0,
        retry_ratio: float = 1.0,
    ) -> None:
        self._clock, self._strategy, self._foreign = clock, strategy, foreign_strategy
        self._strategy_name = str(getattr(strategy, "name", type(strategy).__name__))
        # Guards all below. A leaf: nothing that blocks, logs or calls out runs under it.
        self._lock = threading.Lock()
        budget = RetryBudget(clock.monotonic(), retry_ratio)
        ours = None if foreign_strategy else strategy
        self._scheduler = Scheduler(ours, clock, budget, max_stall, self._give_back, self._strategy_name)
        self._places: list[Waiter] = []  # whose threads wait; those settled have not left yet
        self._alarm = math.inf  # until when the first in the queue sleeps
        self._closed = False

    def add(self, instance: Instance, *, enabled: bool) -> None:
        """Take `instance` in; a random stamp makes every process begin with another one."""
        stamp = -1 - int(self._clock.uniform(0, 1_000_000))
        state = InstanceState(instance, self._clock, enabled=enabled, last_selected=stamp)
        with self._lock:
            self._scheduler.add(state)
            self._wake()

    def set_enabled(self, instance_id: int, *, enabled: bool) -> None:
        """Open or close an instance for further attempts; KeyError for an unknown id.

        Opening one forgets what led to its being left alone: somebody has seen to it.
        """
        with self._lock:
            state = self._scheduler.states[instance_id]
            state.enabled = enabled
            if enabled:
                state.forgive(self._clock)
            self._scheduler.recheck()
            self._wake()

    def acquire(self, route: Route, deadline: Deadline) -> Lease:
        """Return a lease on the instance chosen for `route`, waiting for it until `deadline`.

        Raises NoInstanceError where none may serve it, DeadlineExceededError, also at once where it is known that
        none will be ready in time, ManagerClosedError, and ConfigError where a strategy of the user's fails.
        """
        lease = self._ask_foreign(route) if self._foreign else None
        if lease is not None:
            return lease
        waiter = Waiter(route, self._clock.monotonic(), deadline.at)
        try:
            ready = self._enter(waiter)
            if ready is not None:
                self._wait(waiter, ready, deadline)
            return self._outcome(waiter)
        except BaseException:
            self._leave(waiter)
            if waiter.lease is not None:  # it came together with an interrupt
                waiter.lease.close(Report.unused())
            raise

    def hedge_delay(self, instance_id: int) -> float | None:
        """Return after how many seconds an attempt at an instance takes unusually long; None where nobody can tell."""
        with self._lock:
            usual = self._scheduler.states[instance_id].usually_within()
            return None if usual is None else max(HEDGE_AFTER, usual)

    def hedge(self, route: Route, first: int) -> Lease | None:
        """Return a lease for an attempt beside the one at `first`; None where that would cost anybody anything."""
        with self._lock:
            self._refuse_if_closed()
            return self._scheduler.hedge(route, first, self._clock.monotonic())

    def eligible(self, route: Route) -> list[int]:
        """Return the ids of the instances that may serve `route`, busy ones included."""
        with self._lock:
            return [state.id for state in self._scheduler.eligible(route)]

    def earliest(self, route: Route, *, fresh: bool = False) -> float:
        """Return when `route` can be served at the soonest as far as is known, on the monotonic clock.

        With `fresh`, by an instance it has not tried: infinite where none of them is up.
        """
        with self._lock:
            return self._scheduler.earliest(route, fresh=fresh)

    def snapshots(self) -> list[InstanceSnapshot]:
        """Return all instances as they are now, by id."""
        return list(self.snapshot().instances)

    def snapshot(self) -> PoolSnapshot:
        """Return all instances as they are now, and who waits for them."""
        scheduler = self._scheduler
        with self._lock:
            now = self._clock.monotonic()
            instances = [state.snapshot(now) for _, state in sorted(scheduler.states.items())]
            return PoolSnapshot(instances, len(scheduler.waiters), scheduler.budget.tokens(now))

    def in_flight(self) -> int:
        """Return how many leases are open."""
        with self._lock:
            return sum(state.in_flight for state in self._scheduler.states.values())

    def close(self) -> None:
        """Refuse new requests and fail those that wait."""
        with self._lock:
            self._closed = True
            for waiter in self._scheduler.waiters:
                waiter.error = ManagerClosedError("the manager was closed while the request waited")
            self._scheduler.waiters.clear()
            for waiter in self._places:
                waiter.wake()

    def _enter(self, waiter: Waiter) -> threading.Event | None:
        """Put `waiter` in the queue; return what it waits for there, None where it is settled at once."""
        with self._lock:
            self._refuse_if_closed()
            self._scheduler.enqueue(waiter)
            self._wake()
            if waiter.settled:
                return None
            waiter.ready = threading.Event()
            self._places.append(waiter)
            return waiter.ready

    def _wait(self, waiter: Waiter, ready: threading.Event, deadline: Deadline) -> None:
        waits = waiter.route.waits
        with ExitStack() as stack:
            while not self._look(waiter, ready, deadline):
                patience = self._patience(waiter, deadline)
                if waits is not None:
                    pause = self._pause(waiter.route)
                    if pause > 0.0:
                        patience = min(patience, pause)
                    else:
                        stack.enter_context(waits)
                        waits = None
                self._clock.wait(ready, patience)
        self._leave(waiter)

    def _pause(self, route: Route) -> float:
        """Return the seconds for which `route` waits of its own accord, 0.0 where instances keep it waiting longer."""
        now = self._clock.monotonic()
        pause = route.not_before - now
        return pause if pause > 0.0 and self.earliest(route) < now + LONG else 0.0

    def _look(self, waiter: Waiter, ready: threading.Event, deadline: Deadline) -> bool:
        """Take in what time has done; return whether the waiting is over."""
        with self._lock:
            ready.clear()
            if not waiter.settled and self._places[0] is waiter:
                self._scheduler.tick()
            if waiter.settled or deadline.passed:
                return True
            earliest = self._scheduler.earliest(waiter.route)
            if earliest < deadline.at:
                return False
            soon = earliest - self._clock.monotonic()
            waiter.error = DeadlineExceededError(
                f"no instance will be ready before the request's deadline, the first in {soon:.1f} s", retry_after=soon
            )
            return True

    def _patience(self, waiter: Waiter, deadline: Deadline) -> float:
        """Return the seconds to sleep: only the first in the queue looks after the time for all."""
        with self._lock:
            first = bool(self._places) and self._places[0] is waiter
            if not first:
                return deadline.remaining()
            self._alarm = self._scheduler.wake_at()
            until = min(deadline.at, self._alarm)
            return max(0.0, until - self._clock.monotonic())

    def _leave(self, waiter: Waiter) -> None:
        with self._lock:
            self._scheduler.withdraw(waiter)
            if self._places and self._places[0] is waiter:
                self._alarm = math.inf  # the next one looks after the time
            if waiter in self._places:
                self._places.remove(waiter)
            self._wake()

    def _wake(self) -> None:
        """Wake those who are settled, and the first in the queue where it sleeps too long."""
        if not self._places:
            return
        self._scheduler.sweep()
        if self._scheduler.wake_at() < self._alarm:
            self._alarm = math.inf
            self._places[0].wake()

    def _outcome(self, waiter: Waiter) -> Lease:
        if waiter.lease is not None:
            return waiter.lease
        raise waiter.error or DeadlineExceededError("no instance became free before the request's deadline")

    def _give_back(self, lease: Lease, report: Report) -> InstanceEvent | None:
        with self._lock:
            change = self._scheduler.give_back(lease, report)
            self._wake()
        return change

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ManagerClosedError("the manager is closed")

    def _ask_foreign(self, route: Route) -> Lease | None:
        """Let the user's strategy choose among those free now; None where there is none or the request must wait."""
        while True:
            with self._lock:
                self._refuse_if_closed()
                candidates = self._candidates(route)
            if not candidates:
                return None
            chosen = self._ask(candidates)
            with self._lock:
                self._refuse_if_closed()
                now = self._clock.monotonic()
                state = self._scheduler.states[chosen]
                if state in self._scheduler.free(route, now):  # else another thread was faster: ask again
                    return self._scheduler.take(state, route, now)

    def _candidates(self, route: Route) -> list[InstanceSnapshot]:
        """Return who is free for `route` now; nobody where it must wait, or try out an instance that had failed."""
        scheduler, now = self._scheduler, self._clock.monotonic()
        scheduler.check(route)
        if scheduler.probe(route, now) is not None:
            return []
        free = scheduler.free(route, now)
        return [state.snapshot(now) for state in free] if free and scheduler.may_go(route, now) else []

    def _ask(self, candidates: Sequence[InstanceSnapshot]) -> int:
        """Let the user's strategy choose; return the id of the instance."""
        name = self._strategy_name
        try:
            chosen: object = self._strategy.select(candidates)
        except Exception as exc:
            raise ConfigError(f"the strategy '{name}' failed: {type(exc).__name__}: {exc}") from exc
        if not isinstance(chosen, InstanceSnapshot) or all(chosen.id != candidate.id for candidate in candidates):
            shown = chosen.name if isinstance(chosen, InstanceSnapshot) else type(chosen).__name__
            raise ConfigError(f"the strategy '{name}' must return one of its candidates, it returned {shown}")
        return chosen.id
