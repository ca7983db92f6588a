"""All instances, and who of them may take a request. Asked for every request, so who is open is kept, not looked for.

An instance is *up* while its breaker is closed, and *open* while it is up, has a place free and neither a limit nor a
cool-down is in the way. Between two events of an instance only time opens it, at a moment that is known. Guarded by
the pool's lock.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from operator import attrgetter

from flyllm._routing.instance import Demand, InstanceState
from flyllm._routing.route import Route

NOTHING = Demand()
"""What every attempt takes at least."""

_ID = attrgetter("id")


class Roster:
    """The instances by id.

    `down` are the enabled ones whose breaker is not closed; `counts_tokens` says that a limit on tokens is declared.
    Whoever takes a place at an instance, or gives one back, puts it in `moved` first: it is looked at before the next
    answer, so that an interrupt in between changes nothing.
    """

    __slots__ = (
        "_next",
        "_open",
        "_priorities",
        "_resting",
        "_shown",
        "_up",
        "counts_tokens",
        "down",
        "moved",
        "states",
    )

    def __init__(self) -> None:
        self.states: dict[int, InstanceState] = {}
        self.sort(0.0)

    def add(self, state: InstanceState, now: float) -> None:
        """Take an instance in."""
        self.states[state.id] = state
        self._include(state, now)

    def sort(self, now: float) -> None:
        """Take in that instances were opened or closed, failed or recovered."""
        self._up: list[InstanceState] = []
        self.down: list[InstanceState] = []
        self.counts_tokens = False
        self._priorities: set[int] = set()
        self._open: list[InstanceState] = []  # by id
        self._shown: tuple[InstanceState, ...] | None = None  # the same, once it was asked for
        self._resting: dict[InstanceState, float] = {}  # those that lack nothing but time, and until when
        self._next = math.inf  # not later than the first of these moments
        self.moved: set[InstanceState] = set()
        for state in self.states.values():
            self._include(state, now)

    def eligible(self, route: Route) -> list[InstanceState]:
        """Return the instances that may serve `route`, whether or not they can just now."""
        return list(self._eligible(route))

    def served(self, route: Route) -> bool:
        """Whether an instance that is up may serve `route`."""
        if route.task is None and not route.restricted:
            return bool(self._up)
        return any(_may_serve(s, route) for s in self._up)

    def fresh(self, route: Route, now: float) -> list[InstanceState]:
        """Return those that `route` has not tried in this round and that lack at most a place."""
        return [
            s
            for s in self._up
            if s.id not in route.tried and _may_serve(s, route) and s.ready_at(route.demand, now) <= now
        ]

    def open(self, now: float) -> tuple[InstanceState, ...]:
        """Return the instances that can take some attempt now, by id: the same tuple while they are the same."""
        self._look(now)
        if self._shown is None:
            self._shown = tuple(self._open)
        return self._shown

    def free(self, route: Route, now: float) -> Sequence[InstanceState]:
        """Return the instances that can take `route` now, of the best tier that has any."""
        able: Sequence[InstanceState] = self.open(now)
        if route.task is not None or route.restricted:
            able = [s for s in able if _may_serve(s, route)]
        if self.counts_tokens:
            able = [s for s in able if s.instance.tpm is None or s.ready_at(route.demand, now) <= now]
        if route.tried:
            able = self._untried(route, able, now)
        if route.avoided is not None:
            able = [s for s in able if s.provider != route.avoided] or able
        if len(self._priorities) > 1 and len(able) > 1:
            tier = min(s.instance.priority for s in able)
            able = [s for s in able if s.instance.priority == tier]
        return able

    def probe(self, route: Route, candidates: Sequence[InstanceState], now: float) -> InstanceState | None:
        """Return that of the `candidates`, all down, which `route` should try out now, if any is due."""
        alone = not self.served(route)
        due = [
            s
            for s in candidates
            if s.has_room and _may_serve(s, route) and self.opens_at(s, route.demand, now, alone=alone) <= now
        ]
        return next(iter(self._untried(route, due, now)), None) if due else None

    def due(self, now: float) -> list[InstanceState]:
        """Return the instances that are down and may be due for a probe."""
        return [s for s in self.down if s.has_room and min(self._openings(s, NOTHING, now)) <= now]

    def earliest(self, route: Route, now: float) -> float:
        """Return when `route` can be served at the soonest as far as time decides: whatever else is lacking, is not."""
        earliest, alone = math.inf, not self.served(route)
        for state in self._eligible(route):
            # Nobody knows how long a probe takes.
            tried_out = not alone and not state.breaker.closed and state.breaker.ready_at(alone=False) == math.inf
            opens = (
                state.ready_at(route.demand, now) if tried_out else self.opens_at(state, route.demand, now, alone=alone)
            )
            if opens <= now:
                return now
            earliest = min(earliest, opens)
        return earliest if earliest < math.inf else now

    def changes(self, demands: set[Demand], now: float) -> list[float]:
        """Return the times, past ones among them, at which an instance may open to requests of such `demands`."""
        self._look(now)
        times = list(self._resting.values())
        counted = [s for s in self._up if s.instance.tpm is not None] if self.counts_tokens else []
        for state in (*counted, *self.down):
            for demand in demands if state.instance.tpm is not None else (NOTHING,):
                times += self._openings(state, demand, now)
        return times

    @staticmethod
    def opens_at(state: InstanceState, demand: Demand, now: float, *, alone: bool) -> float:
        """Return when `state` may be sent its next attempt, which is a probe where it is down."""
        ready = state.ready_at(demand, now)
        return ready if state.breaker.closed else max(ready, state.breaker.ready_at(alone=alone))

    def _eligible(self, route: Route) -> Iterator[InstanceState]:
        return (s for s in self.states.values() if s.enabled and _may_serve(s, route))

    def _include(self, state: InstanceState, now: float) -> None:
        if not state.enabled:
            return
        self.counts_tokens |= state.instance.tpm is not None
        self._priorities.add(state.instance.priority)
        if state.breaker.closed:
            self._up.append(state)
            self._follow(state, now)
        else:
            self.down.append(state)

    def _follow(self, state: InstanceState, now: float) -> None:
        """Put an instance where it belongs: among the open ones, the resting ones, or neither."""
        if not (state.enabled and state.breaker.closed):
            return
        if state.in_flight >= state.ceiling.limit:
            opens = math.inf
        else:
            opens = state.ready_at(NOTHING, now) if state.limited else state.cool_until
        at = bisect_left(self._open, state.id, key=_ID)
        was_open = at < len(self._open) and self._open[at] is state
        if opens <= now and not was_open:
            self._shown = None
            self._open.insert(at, state)
        elif opens > now and was_open:
            self._shown = None
            del self._open[at]
        if now < opens < math.inf:
            self._resting[state] = opens
            self._next = min(self._next, opens)
        elif self._resting:
            self._resting.pop(state, None)

    def _look(self, now: float) -> None:
        """Take in what was moved, and whose time has come."""
        if self.moved:
            for state in self.moved:
                self._follow(state, now)
            self.moved.clear()
        if now >= self._next:
            for state in [state for state, opens in self._resting.items() if opens <= now]:
                self._follow(state, now)
            self._next = min(self._resting.values(), default=math.inf)

    def _openings(self, state: InstanceState, demand: Demand, now: float) -> list[float]:
        return [self.opens_at(state, demand, now, alone=alone) for alone in (False, True)]

    def _untried(self, route: Route, able: Sequence[InstanceState], now: float) -> Sequence[InstanceState]:
        """Keep the untried ones; where there is none, all, unless an untried one lacks nothing but a place."""
        untried = [s for s in able if s.id not in route.tried]
        return untried or ([] if self.fresh(route, now) else able)


def _may_serve(state: InstanceState, route: Route) -> bool:
    if route.task is not None and route.task not in state.tasks:
        return False
    return not route.restricted or route.allows(state.instance)
