"""All instances, and who of them may take a request: the questions, nothing is changed.

An instance is *up* while its breaker is closed, and *open* while it is up, has a place free and neither a limit nor a
cool-down is in the way. Guarded by the pool's lock.
"""

import math
from collections.abc import Sequence

from flyllm._routing.instance import Demand, InstanceState
from flyllm._routing.route import Route

NOTHING = Demand()
"""What every attempt takes at least."""


class Roster:
    """The instances by id.

    `down` are the enabled ones whose breaker is not closed; `counts_tokens` says that a limit on tokens is declared.
    """

    __slots__ = ("_tiers", "_up", "counts_tokens", "down", "states")

    def __init__(self) -> None:
        self.states: dict[int, InstanceState] = {}
        self.sort()

    def sort(self) -> None:
        """Take in that instances came, went, failed or recovered."""
        enabled = [s for s in self.states.values() if s.enabled]
        self._up = [s for s in enabled if s.breaker.closed]
        self.down = [s for s in enabled if not s.breaker.closed]
        self.counts_tokens = any(s.instance.tpm is not None for s in enabled)
        self._tiers = len({s.instance.priority for s in enabled}) > 1

    def eligible(self, route: Route) -> list[InstanceState]:
        """Return the instances that may serve `route`, whether or not they can just now."""
        return [s for s in self.states.values() if s.enabled and _may_serve(s, route)]

    def served(self, route: Route) -> bool:
        """Whether an instance that is up may serve `route`."""
        return any(_may_serve(s, route) for s in self._up)

    def fresh(self, route: Route, now: float) -> list[InstanceState]:
        """Return those that `route` has not tried in this round and that lack at most a place."""
        return [
            s
            for s in self._up
            if s.id not in route.tried and _may_serve(s, route) and s.ready_at(route.demand, now) <= now
        ]

    def open(self, now: float) -> list[InstanceState]:
        """Return the instances that can take some attempt now."""
        free = [s for s in self._up if s.in_flight < s.ceiling.limit and s.cool_until <= now]
        return [s for s in free if not s.limited or s.ready_at(NOTHING, now) <= now]

    def free(self, route: Route, candidates: list[InstanceState], now: float) -> list[InstanceState]:
        """Return the `candidates`, all open, that can take `route` now, of the best tier that has any."""
        able = candidates
        if route.task is not None or route.restricted:
            able = [s for s in able if _may_serve(s, route)]
        if self.counts_tokens:
            able = [s for s in able if s.ready_at(route.demand, now) <= now]
        if route.tried:
            able = self._untried(route, able, now)
        if route.avoided is not None:
            able = [s for s in able if s.provider != route.avoided] or able
        if self._tiers and len(able) > 1:
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
        for state in self.eligible(route):
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
        times: list[float] = []
        waiting = [s for s in self._up if s.limited or s.cool_until > now]
        for state in (*waiting, *self.down):
            for demand in demands if state.instance.tpm is not None else (NOTHING,):
                times += self._openings(state, demand, now)
        return times

    @staticmethod
    def opens_at(state: InstanceState, demand: Demand, now: float, *, alone: bool) -> float:
        """Return when `state` may be sent its next attempt, which is a probe where it is down."""
        ready = state.ready_at(demand, now)
        return ready if state.breaker.closed else max(ready, state.breaker.ready_at(alone=alone))

    def _openings(self, state: InstanceState, demand: Demand, now: float) -> list[float]:
        return [self.opens_at(state, demand, now, alone=alone) for alone in (False, True)]

    def _untried(self, route: Route, able: list[InstanceState], now: float) -> list[InstanceState]:
        """Keep the untried ones; where there is none, all, unless an untried one lacks nothing but a place."""
        untried = [s for s in able if s.id not in route.tried]
        return untried or ([] if self.fresh(route, now) else able)


def _may_serve(state: InstanceState, route: Route) -> bool:
    if route.task is not None and route.task not in state.tasks:
        return False
    return not route.restricted or route.allows(state.instance)
