"""The pool of instances: decides who takes a request and when.

An instance is chosen only when it has a free place (late binding). Requests that find none wait first come, first
served; a place that becomes free is handed directly to the first waiter that may use it, so none is ever idle
while somebody who could use it waits, and a newcomer cannot overtake.
"""

import threading
from collections.abc import Sequence

from flyllm._clock import Clock
from flyllm._resilience.deadline import Deadline
from flyllm._routing.instance import Instance, InstanceSnapshot, InstanceState
from flyllm._routing.lease import Lease, Outcome
from flyllm._routing.route import Route
from flyllm._routing.strategies import Strategy
from flyllm.errors import DeadlineExceededError, LLMError, ManagerClosedError, NoInstanceError


class _Waiter:
    """A request in the queue. Its event is set once `lease` or `error` is."""

    __slots__ = ("arrived", "error", "lease", "ready", "route")

    def __init__(self, route: Route, arrived: float) -> None:
        self.route, self.arrived = route, arrived
        self.ready = threading.Event()
        self.lease: Lease | None = None
        self.error: LLMError | None = None


class Pool:
    """All instances of a manager. `strategy` is called under the lock only if it is one of ours."""

    def __init__(self, strategy: Strategy, clock: Clock, *, foreign_strategy: bool) -> None:
        self._clock = clock
        self._strategy = strategy
        self._foreign = foreign_strategy
        # Guards all below and every InstanceState. A leaf: nothing that blocks, logs or calls out runs under it.
        self._lock = threading.Lock()
        self._states: dict[int, InstanceState] = {}
        self._waiters: list[_Waiter] = []
        self._selections = 0
        self._closed = False

    def add(self, instance: Instance, *, enabled: bool) -> None:
        """Take `instance` in; a random stamp makes every process begin with another one."""
        stamp = -1 - int(self._clock.uniform(0, 1_000_000))
        with self._lock:
            self._states[instance.id] = InstanceState(instance, enabled=enabled, last_selected=stamp)
            self._hand_out()

    def set_enabled(self, instance_id: int, *, enabled: bool) -> None:
        """Open or close an instance for further attempts; KeyError for an unknown id."""
        with self._lock:
            self._states[instance_id].enabled = enabled
            self._hand_out()
            self._fail_hopeless()

    def acquire(self, route: Route, deadline: Deadline) -> Lease:
        """Return a lease on the instance chosen for `route`, waiting for a free place until `deadline`.

        Raises NoInstanceError where none may serve it, DeadlineExceededError, ManagerClosedError.
        """
        arrived = self._clock.monotonic()
        lease = self._acquire_by_foreign_strategy(route) if self._foreign else None
        if lease is not None:
            return lease
        with self._lock:
            self._check(route)
            free = self._free(route)
            if free:
                return self._take(self._choose(free), route, 0.0)
            waiter = _Waiter(route, arrived)
            self._waiters.append(waiter)
        return self._wait(waiter, deadline)

    def untried(self, route: Route) -> bool:
        """Whether `route` may still go to an instance that it has not tried in this round."""
        with self._lock:
            return any(state.id not in route.tried for state in self._eligible(route))

    def eligible(self, route: Route) -> bool:
        """Whether any instance may serve `route`."""
        with self._lock:
            return bool(self._eligible(route))

    def snapshots(self) -> list[InstanceSnapshot]:
        """Return all instances as they are now, by id."""
        with self._lock:
            return [state.snapshot() for _, state in sorted(self._states.items())]

    def instance(self, instance_id: int) -> Instance:
        """Return an instance; KeyError for an unknown id."""
        with self._lock:
            return self._states[instance_id].instance

    def in_flight(self) -> int:
        """Return how many leases are open."""
        with self._lock:
            return sum(state.in_flight for state in self._states.values())

    def close(self) -> None:
        """Refuse new requests and fail those that wait."""
        with self._lock:
            self._closed = True
            for waiter in self._waiters:
                waiter.error = ManagerClosedError("the manager was closed while the request waited")
                waiter.ready.set()
            self._waiters.clear()

    def _wait(self, waiter: _Waiter, deadline: Deadline) -> Lease:
        try:
            # Sliced: a lock acquired without end ignores Ctrl-C on Windows (cpython#80116).
            while not self._clock.wait(waiter.ready, min(0.5, deadline.remaining())):
                if deadline.passed:
                    break
        except BaseException:
            self._leave(waiter)
            if waiter.lease is not None:  # it came together with the interrupt
                waiter.lease.close(Outcome.IGNORED, 0.0)
            raise
        self._leave(waiter)
        if waiter.lease is not None:
            return waiter.lease
        raise waiter.error or DeadlineExceededError("no instance became free before the request's deadline")

    def _leave(self, waiter: _Waiter) -> None:
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _acquire_by_foreign_strategy(self, route: Route) -> Lease | None:
        """Let the user's strategy choose outside the lock, then take its choice if it is still free."""
        while True:
            with self._lock:
                self._check(route)
                candidates = [state.snapshot() for state in self._free(route)]
            if not candidates:
                return None
            chosen = self._strategy.select(candidates)
            with self._lock:
                state = self._states.get(getattr(chosen, "id", -1))
                if state is None or all(state.id != candidate.id for candidate in candidates):
                    raise TypeError(f"strategy {self._strategy!r} returned {chosen!r}, which is none of the candidates")
                if state in self._free(route):
                    return self._take(state, route, 0.0)

    # Everything below runs under the lock.

    def _eligible(self, route: Route) -> list[InstanceState]:
        return [s for s in self._states.values() if s.enabled and route.serves(s.instance) and route.allows(s.instance)]

    def _free(self, route: Route) -> list[InstanceState]:
        eligible = self._eligible(route)
        untried = [s for s in eligible if s.id not in route.tried] or eligible
        return [s for s in untried if s.in_flight < s.max_concurrency]

    def _choose(self, free: Sequence[InstanceState]) -> InstanceState:
        return free[0] if len(free) == 1 else self._strategy.select(free)

    def _take(self, state: InstanceState, route: Route, waited: float) -> Lease:
        self._selections += 1
        state.last_selected = self._selections
        state.in_flight += 1
        reason = "failover" if route.tried else "retry" if route.rounds else self._reason()
        return Lease(state.instance, waited, reason, self._give_back)

    def _reason(self) -> str:
        return getattr(self._strategy, "name", type(self._strategy).__name__)

    def _give_back(self, lease: Lease, outcome: Outcome, seconds: float) -> None:
        now = self._clock.monotonic()
        with self._lock:
            state = self._states[lease.instance.id]
            state.in_flight -= 1
            if outcome is not Outcome.IGNORED:
                state.record(seconds, now, success=outcome is Outcome.SUCCESS)
            self._hand_out()

    def _hand_out(self) -> None:
        """Give free places to waiters, the longest waiting first."""
        if not self._waiters:
            return
        now = self._clock.monotonic()
        for waiter in list(self._waiters):
            if not any(s.in_flight < s.max_concurrency for s in self._states.values()):
                return
            free = self._free(waiter.route)
            if free:
                chosen = free[0] if self._foreign else self._choose(free)
                waiter.lease = self._take(chosen, waiter.route, now - waiter.arrived)
                self._waiters.remove(waiter)
                waiter.ready.set()

    def _fail_hopeless(self) -> None:
        for waiter in list(self._waiters):
            if not self._eligible(waiter.route):
                waiter.error = self._no_instance(waiter.route)
                self._waiters.remove(waiter)
                waiter.ready.set()

    def _check(self, route: Route) -> None:
        if self._closed:
            raise ManagerClosedError("the manager is closed")
        if not self._eligible(route):
            raise self._no_instance(route)

    def _no_instance(self, route: Route) -> NoInstanceError:
        serving = [s for s in self._states.values() if route.serves(s.instance)]
        if not self._states:
            return NoInstanceError("the manager has no instances: add one with add_instance()")
        if not serving:
            tasks = sorted({task for s in self._states.values() for task in s.instance.tasks})
            known = ", ".join(tasks) or "none"
            return NoInstanceError(f"no instance supports task '{route.task}'. Supported tasks: {known}")
        if not any(s.enabled for s in serving):
            what = "all instances" if route.task is None else f"all instances that support task '{route.task}'"
            names = ", ".join(s.name for s in serving)
            return NoInstanceError(f"{what} are disabled: {names}. Enable one with manager.enable(...)")
        return NoInstanceError("every instance that could serve the request has refused it")
