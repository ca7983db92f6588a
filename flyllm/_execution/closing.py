"""How a manager ends: what waits fails, what is under way may finish for a while, then it is cut."""

import threading

from flyllm._clock import Clock
from flyllm._routing.pool import Pool
from flyllm._scope import Scope

GRACE = 5.0
"""Seconds that attempts in flight may go on after `close()`."""

CUT = 1.0
"""Seconds to wait for attempts that have been cut; ending one takes milliseconds."""

_STEP = 0.02


def wind_down(pool: Pool, scope: Scope, clock: Clock, grace: float) -> None:
    """Take no more requests, wait up to `grace` seconds for attempts in flight, cut the rest and wait for their end.

    Holds no lock meanwhile, so that it may be called again, and from any callback.
    """
    pool.close()
    _await_idle(pool, clock, grace)
    scope.call_off()
    _await_idle(pool, clock, CUT)


def _await_idle(pool: Pool, clock: Clock, seconds: float) -> None:
    until = clock.monotonic() + seconds
    never = threading.Event()
    while pool.in_flight() and (left := until - clock.monotonic()) > 0:
        clock.wait(never, min(_STEP, left))
