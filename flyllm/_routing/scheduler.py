"""Who takes a request and when: the decision, without threads.

All instances and the queue of requests that wait, as one state machine: a request is submitted, a lease is given back,
an instance is opened or closed, time passes. Requests are matched with instances only when one is free (late binding);
those that find none wait first come, first served. Not thread-safe: the pool calls it under its lock.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import takewhile

from flyllm._clock import Clock
from flyllm._resilience.budget import RetryBudget
from flyllm._resilience.classification import Signal
from flyllm._resilience.hedge_budget import HedgeBudget
from flyllm._routing.aftermath import judge, slow_down
from flyllm._routing.change import change
from flyllm._routing.instance import InstanceState
from flyllm._routing.lease import GiveBack, Lease, Report
from flyllm._routing.refusal import refusal
from flyllm._routing.roster import NOTHING, Roster
from flyllm._routing.route import Route
from flyllm._routing.strategies import Strategy
from flyllm._routing.waiter import Waiter
from flyllm.errors import LLMError, NoInstanceError
from flyllm.observability.events import InstanceEvent


class Scheduler:
    """The state machine.

    Args:
        strategy: chooses among equals; None takes the first (where a strategy of the user's was asked beforehand).
        max_stall: seconds without any success after which waiting is given up.
        give_back: called when a lease is closed; None takes the scheduler's own, which nobody guards.
        name: the reason given for what the strategy chose; None takes the strategy's.
    """

    def __init__(
        self,
        strategy: Strategy | None,
        clock: Clock,
        budget: RetryBudget,
        max_stall: float,
        give_back: GiveBack | None = None,
        name: str | None = None,
    ) -> None:
        self._strategy, self._clock, self._max_stall = strategy, clock, max_stall
        self._give_back = give_back or self.give_back
        self._name = name or str(getattr(strategy, "name", "strategy"))
        self.budget, self.hedges = budget, HedgeBudget()
        self._roster = Roster()
        self.states = self._roster.states
        self.waiters: list[Waiter] = []
        self._selections, self._settling = 0, False
        self._seen = clock.monotonic()

    def add(self, state: InstanceState) -> None:
        """Take an instance in."""
        self._roster.add(state, self._clock.monotonic())
        self.dispatch()

    def submit(self, route: Route, until: float = math.inf) -> Waiter:
        """Queue a request with its deadline; it may be settled at once. Raises where nobody can serve it."""
        waiter = Waiter(route, self._clock.monotonic(), until)
        self.enqueue(waiter)
        return waiter

    def enqueue(self, waiter: Waiter) -> None:
        """Queue a request whose waiter the caller keeps, so that it can withdraw it should this be interrupted."""
        self.check(waiter.route)
        if not self.waiters and not self._roster.down:  # nobody to be fair to, nothing to try out
            self._seen = self._clock.monotonic()
            self._give_place(waiter, self._seen)
        if waiter.lease is None:
            self.waiters.append(waiter)
            self.dispatch()
        if not waiter.settled:
            self._give_up_on((waiter,))

    def withdraw(self, waiter: Waiter) -> None:
        """Take a request out of the queue."""
        if waiter in self.waiters:
            self.waiters.remove(waiter)

    def give_back(self, lease: Lease, report: Report) -> InstanceEvent | None:
        """Take in what came of an attempt, and give its place to the next.

        Returns what became of the instance where that has changed.
        """
        state = self.states[lease.instance.id]
        self._roster.moved.add(state)
        in_flight = len(state.leases)
        del state.leases[lease]  # first, whatever may interrupt the rest
        state.in_flight = in_flight - 1
        if report.verdict.signal is Signal.LATE:
            report = report.with_signal(state.lateness(report.seconds))
        was_closed, cooled_until = state.breaker.closed, state.cool_until
        now, verdict = self._clock.monotonic(), report.verdict
        state.end(lease, report, now)
        if verdict.overload:
            slow_down(state, lease, report, now, self._clock)
        if verdict.signal is Signal.GOOD:
            state.last_success = now
            self.budget.succeeded(now)
            self.hedges.succeeded()
            state.ceiling.succeeded(in_flight, now)
        judge(state, self.states.values(), lease, report, now)
        if state.breaker.closed is not was_closed:
            self._roster.sort(now)
        refused = state.breaker.why is not None
        if refused:  # it may have been the last key of all
            self.recheck()
        else:
            self.dispatch()
        if refused or state.cool_until > now + self._max_stall:
            self._give_up_on(self.waiters)
        return change(state, was_closed=was_closed, cooled_until=cooled_until, error=report.error, now=now)

    def tick(self) -> None:
        """Let the passing of time take effect."""
        self.dispatch()
        overdue = self._seen - self._max_stall
        self._give_up_on(list(takewhile(lambda waiter: waiter.arrived <= overdue, self.waiters)))

    def recheck(self) -> None:
        """Settle those for whom, after a change of instances, nobody is left."""
        self._roster.sort(self._clock.monotonic())
        for waiter in self.waiters:
            waiter.error = self._refusal(waiter.route)
        self._settling = True
        self.sweep()
        self.dispatch()

    def dispatch(self) -> None:
        """Give free places to those who wait: probes to who has tried least, all others first come, first served."""
        now = self._seen = self._clock.monotonic()
        if not self.waiters:
            return
        if self._roster.down:
            self._give_probes(self._roster.due(now), now)
        self._give_places(now)
        self.sweep()

    def sweep(self) -> None:
        """Take those who are settled, where anybody may be, out of the queue, and have their threads know."""
        if self._settling:
            for waiter in self.waiters:
                if waiter.settled:
                    waiter.wake()
            self.waiters = [waiter for waiter in self.waiters if not waiter.settled]
            self._settling = False

    def wake_at(self) -> float:
        """Return when time alone may change something for those who wait, on the monotonic clock.

        Counted from the last look at the clock: what has come due since then, while somebody was on the way to wait
        for it, is not missed.
        """
        if not self.waiters:
            return math.inf
        now = self._seen
        demands = {waiter.route.demand for waiter in self.waiters} if self._roster.counts_tokens else {NOTHING}
        times = self._roster.changes(demands, now)
        times += [waiter.route.not_before for waiter in self.waiters if waiter.route.not_before > now]
        for waiter in self.waiters:  # in the order of their arrival: the first that is not overdue is the next
            times.append(self._stalls_at(waiter, now))
            if waiter.arrived + self._max_stall > now:
                break
        return min((time for time in times if time > now), default=math.inf)

    def eligible(self, route: Route) -> list[InstanceState]:
        """Return the instances that may serve `route`, whether or not they can just now."""
        return self._roster.eligible(route)

    def free(self, route: Route, now: float) -> Sequence[InstanceState]:
        """Return the instances that can take `route` now, of the best tier that has any."""
        return self._roster.free(route, now)

    def take(self, state: InstanceState, route: Route, now: float, reason: str = "") -> Lease:
        """Book a place at `state` for `route`; the `reason` is found out where none is given."""
        self._roster.moved.add(state)
        self._selections += 1
        state.last_selected = self._selections
        probe = not state.breaker.closed
        if probe:
            state.breaker.begin_probe(now)
        reason = reason or ("probe" if probe else self._reason(state, route))
        ticket = state.begin(route.demand, now)
        lease = Lease(state.instance, reason, now, self._give_back, demand=route.demand, ticket=ticket, probe=probe)
        state.leases[lease] = None
        state.in_flight = len(state.leases)
        return lease

    def hedge(self, route: Route, first: int, now: float) -> Lease | None:
        """Book a place for an attempt beside the one at `first`: one that nobody waits for, and within both budgets."""
        if self.waiters or not self.hedges.allows_one or self.budget.tokens(now) < 1.0:
            return None
        route.tried.add(first)
        free = [state for state in self.free(route, now) if state.id != first]
        if not free:
            return None
        self.hedges.spend()
        self.budget.take(now)
        state = self._choose(free)
        route.tried.add(state.id)
        return self.take(state, route, now, "hedge")

    def probe(self, route: Route, now: float) -> InstanceState | None:
        """Return the instance that `route` should try out now, if one is due."""
        return self._roster.probe(route, self._roster.down, now) if route.not_before <= now else None

    def may_go(self, route: Route, now: float) -> bool:
        """Whether the request itself is ready: its pause is over, and its retry is paid for, as it now may be."""
        if route.not_before > now:
            return False
        if route.pays:
            wait = self.budget.take(now)
            route.pays = wait > 0.0
            route.not_before = now + wait
        return not route.pays

    def check(self, route: Route) -> None:
        """Raise where nobody can serve `route`."""
        error = self._refusal(route)
        if error is not None:
            raise error

    def earliest(self, route: Route, *, fresh: bool = False) -> float:
        """Return when `route` can be served at the soonest, as far as time decides; a lack of places counts as now.

        With `fresh`, by an instance it has not tried: infinite where none of them is up.
        """
        now = self._clock.monotonic()
        if fresh and not self._roster.fresh(route, now):
            return math.inf
        return max(route.not_before, self._roster.earliest(route, now))

    def _refusal(self, route: Route) -> LLMError | None:
        if self._roster.served(route):
            return None
        return refusal(route, list(self.states.values()), self.eligible(route), self._clock.monotonic())

    def _give_probes(self, due: list[InstanceState], now: float) -> None:
        """Have the `due` instances tried out by those who have tried least, and who have time to see it through."""
        for waiter in sorted(self.waiters, key=lambda w: (w.route.attempts, -w.until)) if due else ():
            route = waiter.route
            probe = self._roster.probe(route, due, now) if route.not_before <= now else None
            if probe is not None and self.may_go(route, now):
                self._settling = True
                waiter.lease = self.take(probe, route, now)
                due.remove(probe)
            if not due:
                break

    def _give_places(self, now: float) -> None:
        """Give the open instances to those who wait, in their order."""
        for waiter in self.waiters:
            if not self._roster.open(now):
                break
            if waiter.lease is None:
                self._give_place(waiter, now)

    def _give_place(self, waiter: Waiter, now: float) -> None:
        route = waiter.route
        free = self._roster.free(route, now) if route.not_before <= now else ()
        if free and self.may_go(route, now):
            self._settling = True  # first, whatever may interrupt the rest
            waiter.lease = self.take(self._choose(free), route, now)

    def _choose(self, free: Sequence[InstanceState]) -> InstanceState:
        return free[0] if self._strategy is None or len(free) == 1 else self._strategy.select(free)

    def _reason(self, state: InstanceState, route: Route) -> str:
        if route.last is None:
            return self._name
        return "retry" if route.last == state.id else "failover"

    def _stalls_at(self, waiter: Waiter, now: float) -> float:
        """Return when there was no success for so long, at any instance that could serve it, that waiting is vain."""
        stalls = waiter.arrived + self._max_stall
        if stalls <= now:
            stalls = max([waiter.arrived, *(s.last_success for s in self.eligible(waiter.route))]) + self._max_stall
        return stalls

    def _give_up_on(self, waiters: Iterable[Waiter]) -> None:
        """Settle those of `waiters` who wait in vain."""
        now = self._clock.monotonic()
        for waiter in waiters:
            earliest = self.earliest(waiter.route) - now
            if earliest <= self._max_stall and self._stalls_at(waiter, now) > now:
                continue
            if not any(s.in_flight and s.breaker.closed for s in self.eligible(waiter.route)):  # else it is only slow
                self._settling = True
                waiter.error = NoInstanceError(
                    f"no instance that could serve the request is ready, nor will be within {earliest:.0f} s",
                    retry_after=earliest,
                )
        self.sweep()
