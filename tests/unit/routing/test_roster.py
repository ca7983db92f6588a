"""Who is open is kept from event to event, and is at any time who a search would find."""

import random
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flyllm._resilience.deadline import Deadline
from flyllm._routing.lease import Lease, Report
from flyllm._routing.roster import NOTHING
from flyllm._routing.route import Route
from flyllm.errors import LLMError, RateLimitError, RequestError
from flyllm.types import TokenUsage
from tests.unit.fakes import ManualClock, failed, instance
from tests.unit.routing.pools import pool_of

LEFT = {"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "3s"}


def report(draw: random.Random) -> Report:
    """Any end of an attempt."""
    return draw.choice(
        [
            Report.success(1.0, TokenUsage(1, 1, 2), None),
            Report.success(1.0, TokenUsage(1, 1, 2), LEFT),
            failed(RateLimitError("x", retry_after=draw.choice([0.5, 20.0]))),
            failed(RateLimitError("x")),
            failed(RequestError("refused", sent=False)),
            Report.unused(),
        ]
    )


def options(draw: random.Random) -> dict[str, Any]:
    limits = {"rpm": draw.choice([None, None, 2]), "tpm": draw.choice([None, None, 600])}
    return {"max_concurrency": draw.randint(1, 3), **limits}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers())
def test_the_open_ones_are_those_that_a_search_finds(seed: int) -> None:
    """After any events, and after any time without one."""
    draw, clock = random.Random(seed), ManualClock()
    pool = pool_of(*(instance(n, **options(draw)) for n in range(5)), strategy="round_robin", clock=clock)
    scheduler, leases = pool._scheduler, list[Lease]()
    for _ in range(80):
        event = draw.random()
        if event < 0.45:
            with suppress(LLMError):
                leases.append(pool.acquire(Route(None), Deadline.after(clock, 0.0)))
        elif event < 0.8 and leases:
            leases.pop(draw.randrange(len(leases))).close(report(draw))
        elif event < 0.9:
            pool.set_enabled(draw.randrange(5), enabled=draw.random() < 0.8)
        else:
            clock.advance(draw.choice([0.1, 2.0, 10.0, 61.0]))
        now = clock.monotonic()
        up = [s for s in scheduler.states.values() if s.enabled and s.breaker.closed]
        found = scheduler._roster.open(now)
        assert list(found) == [s for s in up if s.has_room and s.ready_at(NOTHING, now) <= now]
        assert scheduler._roster.open(now) is found
