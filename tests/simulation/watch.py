"""What must hold at every step, written down a second time and independently of how the scheduler does it."""

import math
from collections import deque

from flyllm._resilience.breaker import State
from flyllm._routing.instance import InstanceState
from flyllm._routing.lease import Lease, Report
from flyllm._routing.route import Route
from flyllm._routing.scheduler import Scheduler
from flyllm._routing.waiter import Waiter
from flyllm.errors import RateLimitError, RequestError
from flyllm.observability.events import InstanceEvent

EPSILON = 1e-6
RELIEF = 4.0
"""Seconds between probes at least while nobody is closed: 5, less a fifth of jitter."""


class Book:
    """What the watcher itself has seen of one instance."""

    def __init__(self) -> None:
        self.open: dict[Lease, None] = {}
        self.starts: deque[list[object]] = deque()  # [lease, when, counts]
        self.cool_until = -math.inf
        self.probed_at = -math.inf


class WatchedScheduler(Scheduler):
    """The scheduler, which objects when it breaks a rule."""

    books: dict[int, Book]

    def watch(self) -> None:
        """Begin to keep the books."""
        self.books = {number: Book() for number in self.states}
        self.spent = 0

    def take(self, state: InstanceState, route: Route, now: float, reason: str = "") -> Lease:
        book = self.books[state.id]
        assert state.enabled, "disabled"
        assert route.serves(state.instance), "of another task"
        assert route.allows(state.instance), "ruled out"
        assert len(book.open) < min(state.instance.max_concurrency, state.ceiling.limit), "no place"
        assert now >= book.cool_until or state.cool_until == 0.0, "sent while it asked to be left alone"
        assert now >= route.not_before, "sent during its pause"
        assert state.ready_at(route.demand, now) <= now, "sent before the limits allow"
        self._check_breaker(state, route, now)
        self._check_tier(state, route, now)
        lease = super().take(state, route, now, reason)
        assert lease.probe == (lease.instance.id in self._unclosed)
        book.open[lease] = None
        book.starts.append([lease, now, True])
        if lease.probe:
            book.probed_at = now
        self._check_rate(state, book, now)
        return lease

    def give_back(self, lease: Lease, report: Report) -> InstanceEvent | None:
        state, now = self.states[lease.instance.id], self._clock.monotonic()
        book = self.books[state.id]
        assert lease in book.open, "given back twice"
        del book.open[lease]
        error = report.error
        if isinstance(error, RateLimitError) or (isinstance(error, RequestError) and not error.sent):
            for start in book.starts:
                if start[0] is lease:
                    start[2] = False
        if error is not None and error.retry_after is not None:
            book.cool_until = max(book.cool_until, now + min(300.0, error.retry_after))
        return super().give_back(lease, report)

    def _check_breaker(self, state: InstanceState, route: Route, now: float) -> None:
        self._unclosed = {s.id for s in self.states.values() if s.breaker.state is not State.CLOSED}
        if state.id not in self._unclosed:
            return
        others = [s for s in eligible(self, route) if s.id not in self._unclosed]
        probes = [lease for lease in self.books[state.id].open if lease.probe]
        if others:
            assert state.breaker.state is State.OPEN, "a second probe although others are closed"
            assert now >= state.breaker._until, "probed too early"
        elif now < state.breaker._until or probes:
            assert now - self.books[state.id].probed_at >= RELIEF - EPSILON, "probes too close"
            assert state.breaker.why is None, "a refused key is not probed early"

    def _check_tier(self, state: InstanceState, route: Route, now: float) -> None:
        if state.breaker.state is not State.CLOSED or self._strategy is None:
            return
        better = [
            s
            for s in candidates(self, route, now)
            if s.instance.priority < state.instance.priority and s.breaker.state is State.CLOSED and fits(s, route, now)
        ]
        if route.avoided is not None:
            better = [s for s in better if s.provider != route.avoided]
        assert not better, "a backup although a primary is free"

    def _check_rate(self, state: InstanceState, book: Book, now: float) -> None:
        while book.starts and book.starts[0][1] <= now - 60.0:  # type: ignore[operator]
            book.starts.popleft()
        if state.instance.rpm is not None:
            assert sum(1 for start in book.starts if start[2]) <= state.instance.rpm, "more than rpm within a minute"


def eligible(scheduler: Scheduler, route: Route) -> list[InstanceState]:
    """Return who may serve `route` at all."""
    return [s for s in scheduler.states.values() if s.enabled and route.serves(s.instance) and route.allows(s.instance)]


def candidates(scheduler: Scheduler, route: Route, now: float) -> list[InstanceState]:
    """Return who may take the next attempt: those untried, or all if no untried one is ready but for a place."""
    able = eligible(scheduler, route)
    if any(s.id not in route.tried and s.breaker.state is State.CLOSED and ready(s, route, now) for s in able):
        return [s for s in able if s.id not in route.tried]
    return able


def ready(state: InstanceState, route: Route, now: float) -> bool:
    """Whether neither limits nor a cool-down are in the way."""
    return state.cool_until <= now and state.limits.ready_at(state._charge(route.demand), now) <= now


def fits(state: InstanceState, route: Route, now: float) -> bool:
    """Whether an instance has a place as well."""
    limit = min(state.instance.max_concurrency, state.ceiling.limit)
    return state.in_flight < limit and ready(state, route, now)


def admissible(scheduler: Scheduler, waiter: Waiter, now: float) -> list[InstanceState]:
    """Return the instances that a waiting request should long have been given."""
    route = waiter.route
    if waiter.settled or route.not_before > now or (route.pays and scheduler.budget.tokens(now) < 1.0):
        return []
    able = candidates(scheduler, route, now)
    alone = not any(s.breaker.state is State.CLOSED for s in eligible(scheduler, route))
    return [s for s in able if fits(s, route, now) and (s.breaker.state is State.CLOSED or _due(s, now, alone))]


def _due(state: InstanceState, now: float, alone: bool) -> bool:
    breaker = state.breaker
    if alone and breaker.why is None and breaker._relief <= now:
        return True
    return breaker.state is State.OPEN and breaker._until <= now


def _refused(state: InstanceState, now: float) -> bool:
    breaker = state.breaker
    return breaker.why is not None and breaker.state is State.OPEN and now < breaker._until


def check_step(scheduler: WatchedScheduler) -> None:
    """Check what must hold between any two events."""
    now = scheduler._clock.monotonic()
    for state in scheduler.states.values():
        held = len(scheduler.books[state.id].open)
        assert 0 <= state.in_flight == held <= state.instance.max_concurrency, "places do not add up"
        assert 1 <= state.ceiling.limit <= state.instance.max_concurrency, "a ceiling out of bounds"
        probes = sum(lease.probe for lease in scheduler.books[state.id].open)
        assert state.breaker.state is not State.HALF_OPEN or probes, "half open without a probe under way"
    check_conservation(scheduler, now)
    for waiter in scheduler.waiters:
        able = eligible(scheduler, waiter.route)
        assert able, "waits although nobody may serve it"
        assert not all(_refused(s, now) for s in able), "waits although every key is refused"
    if scheduler.waiters:
        held = sum(len(book.open) for book in scheduler.books.values())
        wake = scheduler.wake_at()
        assert wake > now, "wakes at once, for ever"
        assert wake < math.inf or held, "parked for good"


def check_conservation(scheduler: Scheduler, now: float) -> None:
    """Check that nobody waits for what is free."""
    for waiter in scheduler.waiters:
        free = admissible(scheduler, waiter, now)
        assert not free, f"waits although {[s.id for s in free]} is free at {now}"
