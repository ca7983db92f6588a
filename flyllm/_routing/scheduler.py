"""Who takes a request and when: the decision, without threads.

All instances and the queue of requests that wait, as one state machine: a request is submitted, a lease is given back,
an instance is opened or closed, time passes. Requests are matched with instances only when one is free (late binding);
those that find none wait first come, first served. Not thread-safe: the pool calls it under its lock.
"""

import math

from flyllm._clock import Clock
from flyllm._resilience.budget import RetryBudget
from flyllm._resilience.classification import Signal
from flyllm._routing.instance import Demand, InstanceState
from flyllm._routing.lease import GiveBack, Lease, Report
from flyllm._routing.refusal import refusal
from flyllm._routing.route import Route
from flyllm._routing.strategies import Strategy
from flyllm.errors import LLMError, NoInstanceError

DENIALS = 2
"""403s in a row, without a code that speaks of the key, after which it is taken for the key's fault."""

DENIED_FOR = 60.0
"""Seconds of the first ejection then."""


class Waiter:
    """A request in the queue, from when it `arrived`. Settled once `lease` or `error` is set."""

    __slots__ = ("arrived", "error", "lease", "paid", "route")

    def __init__(self, route: Route, arrived: float) -> None:
        self.route, self.arrived = route, arrived
        self.lease: Lease | None = None
        self.error: LLMError | None = None
        self.paid = not route.pays

    @property
    def settled(self) -> bool:
        """Whether it is decided what becomes of the request."""
        return self.lease is not None or self.error is not None


class Scheduler:
    """The state machine.

    Args:
        strategy: chooses among equals; None takes the first (where a strategy of the user's was asked beforehand).
        max_stall: seconds without any success after which waiting is given up.
        give_back: called when a lease is closed; None takes the scheduler's own, which nobody guards.
    """

    def __init__(
        self,
        strategy: Strategy | None,
        clock: Clock,
        budget: RetryBudget,
        max_stall: float,
        give_back: GiveBack | None = None,
    ) -> None:
        self._strategy, self._clock, self._max_stall = strategy, clock, max_stall
        self._give_back = give_back or self.give_back
        self.budget = budget
        self.states: dict[int, InstanceState] = {}
        self.waiters: list[Waiter] = []
        self._selections = 0
        self._last_success = clock.monotonic()

    def add(self, state: InstanceState) -> None:
        """Take an instance in."""
        self.states[state.id] = state
        self.dispatch()

    def submit(self, route: Route) -> Waiter:
        """Queue a request; it may be settled at once. Raises where nobody can serve it."""
        self.check(route)
        waiter = Waiter(route, self._clock.monotonic())
        self.waiters.append(waiter)
        self.dispatch()
        if not waiter.settled:
            self._give_up_on([waiter])
        return waiter

    def withdraw(self, waiter: Waiter) -> None:
        """Take a request out of the queue."""
        if waiter in self.waiters:
            self.waiters.remove(waiter)

    def give_back(self, lease: Lease, report: Report) -> None:
        """Take in what came of an attempt, and give its place to the next."""
        state, now = self.states[lease.instance.id], self._clock.monotonic()
        in_flight, verdict = state.in_flight, report.verdict
        state.in_flight -= 1
        state.end(lease, report, now)
        if verdict.overload:
            self._slow_down(state, lease, report, now)
        if verdict.signal is Signal.GOOD:
            self._last_success = now
            self.budget.succeeded(now)
            state.ceiling.succeeded(in_flight, now)
        self._judge(state, lease, report, now)
        self.dispatch()

    def tick(self) -> None:
        """Let the passing of time take effect."""
        self.dispatch()
        self._give_up_on(list(self.waiters))

    def recheck(self) -> None:
        """Settle those for whom, after a change of instances, nobody is left."""
        states, now = list(self.states.values()), self._clock.monotonic()
        for waiter in self.waiters:
            waiter.error = refusal(waiter.route, states, self.eligible(waiter.route), now)
        self._sweep()
        self.dispatch()

    def dispatch(self) -> None:
        """Give free places to those who wait: probes to who has tried least, all others first come, first served."""
        if not self.waiters:
            return
        now = self._clock.monotonic()
        alone = self._alone()
        if any(
            not s.breaker.closed and s.enabled and s.breaker.ready_at(alone=alone) <= now for s in self.states.values()
        ):
            for waiter in sorted(self.waiters, key=lambda w: w.route.attempts):
                probe = self._probe_for(waiter, now)
                if probe is not None:
                    waiter.lease = self.take(probe, waiter.route, now)
        for waiter in self.waiters:
            if not any(s.enabled and s.breaker.closed and s.has_room for s in self.states.values()):
                break
            if not waiter.settled and self._may_go(waiter, now):
                free = self.free(waiter.route, now)
                if free:
                    waiter.lease = self.take(self._choose(free), waiter.route, now)
        self._sweep()

    def wake_at(self) -> float:
        """Return when time alone may change something for those who wait, on the monotonic clock."""
        if not self.waiters:
            return math.inf
        now, alone, demand = self._clock.monotonic(), self._alone(), self.waiters[0].route.demand
        times = [self._opens_at(s, demand, now, alone) for s in self.states.values() if s.enabled]
        times += [waiter.route.not_before for waiter in self.waiters]
        times.append(max(self.waiters[0].arrived, self._last_success) + self._max_stall)
        return min((time for time in times if time > now), default=math.inf)

    def eligible(self, route: Route) -> list[InstanceState]:
        """Return the instances that may serve `route`, whether or not they can just now."""
        return [s for s in self.states.values() if s.enabled and route.serves(s.instance) and route.allows(s.instance)]

    def free(self, route: Route, now: float) -> list[InstanceState]:
        """Return the instances that can take `route` now, of the best tier that has any."""
        able = [
            s for s in self._in_round(route) if s.has_room and s.breaker.closed and s.ready_at(route.demand, now) <= now
        ]
        if route.avoided is not None:
            able = [s for s in able if s.provider != route.avoided] or able
        if len(able) > 1:
            tier = min(s.instance.priority for s in able)
            able = [s for s in able if s.instance.priority == tier]
        return able

    def take(self, state: InstanceState, route: Route, now: float) -> Lease:
        """Book a place at `state` for `route`."""
        self._selections += 1
        state.last_selected = self._selections
        state.in_flight += 1
        probe = not state.breaker.closed
        if probe:
            state.breaker.begin_probe(now)
        reason = "probe" if probe else self._reason(state, route)
        ticket = state.begin(route.demand, now)
        return Lease(state.instance, reason, now, self._give_back, demand=route.demand, ticket=ticket, probe=probe)

    def check(self, route: Route) -> None:
        """Raise where nobody can serve `route`."""
        error = refusal(route, list(self.states.values()), self.eligible(route), self._clock.monotonic())
        if error is not None:
            raise error

    def earliest(self, route: Route) -> float:
        """Return when `route` can be served at the soonest, as far as time decides; a lack of places counts as now."""
        now, eligible = self._clock.monotonic(), self.eligible(route)
        alone = not any(s.breaker.closed for s in eligible)
        times = (self._opens_at(s, route.demand, now, alone) for s in eligible)
        return max(route.not_before, min(times, default=now), now)

    def _choose(self, free: list[InstanceState]) -> InstanceState:
        return free[0] if self._strategy is None or len(free) == 1 else self._strategy.select(free)

    def _sweep(self) -> None:
        if any(waiter.settled for waiter in self.waiters):
            self.waiters = [waiter for waiter in self.waiters if not waiter.settled]

    def _reason(self, state: InstanceState, route: Route) -> str:
        if route.last is None:
            return str(getattr(self._strategy, "name", "strategy"))
        return "retry" if route.last == state.id else "failover"

    def _in_round(self, route: Route) -> list[InstanceState]:
        eligible = self.eligible(route)
        return [s for s in eligible if s.id not in route.tried] or eligible

    def _alone(self) -> bool:
        """Whether no instance at all is closed."""
        return not any(s.breaker.closed for s in self.states.values() if s.enabled)

    def _may_go(self, waiter: Waiter, now: float) -> bool:
        """Whether the request itself is ready: its pause is over, and its retry is paid for."""
        if waiter.route.not_before > now:
            return False
        if not waiter.paid:
            wait = self.budget.take(now)
            waiter.paid = wait <= 0.0
            waiter.route.not_before = now + wait
        return waiter.paid

    def _probe_for(self, waiter: Waiter, now: float) -> InstanceState | None:
        """Return the instance that this request should try out, if one is due."""
        route = waiter.route
        if waiter.settled or route.not_before > now:
            return None
        alone = not any(s.breaker.closed for s in self.eligible(route))
        for state in self._in_round(route):
            due = not state.breaker.closed and state.has_room and self._opens_at(state, route.demand, now, alone) <= now
            if due and self._may_go(waiter, now):
                return state
        return None

    def _slow_down(self, state: InstanceState, lease: Lease, report: Report, now: float) -> None:
        """Give an instance less that refused for load: no more at once than it still has, and perhaps a rest."""
        if lease.probe:
            state.ceiling.restart()
        cool = state.ceiling.refused(state.in_flight, lease.began, now, self._clock)
        if report.error is None or report.error.retry_after is None:  # its own word on that goes before a guess
            state.cool(cool, now)

    def _judge(self, state: InstanceState, lease: Lease, report: Report, now: float) -> None:
        """Let the breaker see how the attempt ended."""
        verdict, error, breaker = report.verdict, report.error, state.breaker
        state.denied = state.denied + 1 if error is not None and error.status_code == 403 else 0
        if error is not None and (verdict.eject is not None or state.denied >= DENIALS):
            breaker.eject(lease.began, now, verdict.eject or DENIED_FOR, error, probe=lease.probe)
        elif verdict.signal in (Signal.SOFT, Signal.HARD):
            peers, ceiling = self._others(state, now), state.max_concurrency
            breaker.failed(verdict.signal, lease.began, now, probe=lease.probe, peers=peers, ceiling=ceiling)
        elif breaker.answered(verdict.signal, lease.began, now, probe=lease.probe):
            for other in self.states.values():
                other.breaker.hurry(now)

    def _others(self, state: InstanceState, now: float) -> tuple[int, int]:
        counts = [s.breaker.window.counts(now) for s in self.states.values() if s is not state and s.breaker.closed]
        return sum(count[0] for count in counts), sum(count[1] for count in counts)

    @staticmethod
    def _opens_at(state: InstanceState, demand: Demand, now: float, alone: bool) -> float:
        ready = state.ready_at(demand, now)
        return ready if state.breaker.closed else max(ready, state.breaker.ready_at(alone=alone))

    def _give_up_on(self, waiters: list[Waiter]) -> None:
        """Settle those of `waiters` who wait in vain."""
        now = self._clock.monotonic()
        for waiter in waiters:
            stalled = now - max(waiter.arrived, self._last_success)
            earliest = self.earliest(waiter.route) - now
            if stalled < self._max_stall and earliest <= self._max_stall:
                continue
            if not any(s.in_flight and s.breaker.closed for s in self.eligible(waiter.route)):  # else it is only slow
                waiter.error = NoInstanceError(
                    f"no instance that could serve the request is ready, nor will be within {earliest:.0f} s",
                    retry_after=earliest,
                )
        self._sweep()
