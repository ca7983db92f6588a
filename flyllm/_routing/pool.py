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
from flyllm.errors import ConfigError, DeadlineExceededError, LLMError, ManagerClosedError, NoInstanceError


class _Waiter:
    """A request in the queue. Its event is set once `lease` or `error` is."""

    __slots__ = ("error", "lease", "ready", "route")

    def __init__(self, route: Route) -> None:
        self.route = route
        self.ready = threading.Event()
        self.lease: Lease | None = None
        self.error: LLMError | None = None


class Pool:
    """All instances of a manager.

    A strategy of ours chooses under the lock. A `foreign_strategy`, the user's, gets snapshots outside it; only where
    a waiter is handed a place is it not asked, since there is then but one place to give.
    """

    def __init__(self, strategy: Strategy, clock: Clock, *, foreign_strategy: bool) -> None:
        self._clock = clock
        self._strategy = strategy
        self._strategy_name = str(getattr(strategy, "name", type(strategy).__name__))
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

        Raises NoInstanceError where none may serve it, DeadlineExceededError, ManagerClosedError, and ConfigError
        where a strategy of the user's fails.
        """
        while True:
            with self._lock:
                self._check(route)
                free = self._free(route)
                if not free:
                    waiter = _Waiter(route)
                    self._waiters.append(waiter)
                    break
                if not self._foreign:
                    return self._take(self._choose(free), route)
                candidates = [state.snapshot() for state in free]
            chosen = self._ask(candidates)
            with self._lock:
                self._check(route)
                state = self._states[chosen]
                if state in self._free(route):  # else another thread was faster: ask again
                    return self._take(state, route)
        return self._wait(waiter, deadline)

    def eligible(self, route: Route) -> list[int]:
        """Return the ids of the instances that may serve `route`, busy ones included."""
        with self._lock:
            return [state.id for state in self._eligible(route)]

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
            self._clock.wait(waiter.ready, deadline.remaining())
        except BaseException:
            self._leave(waiter)
            if waiter.lease is not None:  # it came together with the interrupt
                waiter.lease.close(Outcome.IGNORED, 0.0)
            raise
        if waiter.lease is None:
            self._leave(waiter)
        if waiter.lease is not None:  # also where it came between the timeout and the leaving
            return waiter.lease
        raise waiter.error or DeadlineExceededError("no instance became free before the request's deadline")

    def _leave(self, waiter: _Waiter) -> None:
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _ask(self, candidates: list[InstanceSnapshot]) -> int:
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

    # Everything below runs under the lock.

    def _eligible(self, route: Route) -> list[InstanceState]:
        return [s for s in self._states.values() if s.enabled and route.serves(s.instance) and route.allows(s.instance)]

    def _free(self, route: Route) -> list[InstanceState]:
        eligible = self._eligible(route)
        untried = [s for s in eligible if s.id not in route.tried] or eligible
        return [s for s in untried if s.in_flight < s.max_concurrency]

    def _choose(self, free: Sequence[InstanceState]) -> InstanceState:
        return free[0] if self._foreign or len(free) == 1 else self._strategy.select(free)

    def _take(self, state: InstanceState, route: Route) -> Lease:
        self._selections += 1
        state.last_selected = self._selections
        state.in_flight += 1
        return Lease(state.instance, self._reason(state, route), self._give_back)

    def _reason(self, state: InstanceState, route: Route) -> str:
        if route.last is None:
            return self._strategy_name
        return "retry" if route.last == state.id else "failover"

    def _give_back(self, instance: Instance, outcome: Outcome, seconds: float) -> None:
        now = self._clock.monotonic()
        with self._lock:
            state = self._states[instance.id]
            state.in_flight -= 1
            if outcome is not Outcome.IGNORED:
                state.record(seconds, now, success=outcome is Outcome.SUCCESS)
            self._hand_out()

    def _hand_out(self) -> None:
        """Give free places to waiters, the longest waiting first."""
        for waiter in list(self._waiters):
            if not any(s.enabled and s.in_flight < s.max_concurrency for s in self._states.values()):
                return
            free = self._free(waiter.route)
            if free:
                waiter.lease = self._take(self._choose(free), waiter.route)
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
