"""Pools of fake instances, for tests of the pool."""

import math
from typing import Any

from flyllm._resilience.classification import Exclusion
from flyllm._resilience.deadline import Deadline
from flyllm._routing.instance import Instance
from flyllm._routing.lease import Lease
from flyllm._routing.pool import Pool
from flyllm._routing.route import Route
from flyllm._routing.strategies import strategy_named
from flyllm.errors import ServerError
from tests.unit.fakes import First, ManualClock, failed, instance

NEVER = Deadline(ManualClock(), math.inf)
BAD = failed(ServerError("x"))


def pool_of(*instances: Instance, strategy: Any = None, clock: ManualClock | None = None, **settings: Any) -> Pool:
    """A pool of these; a `strategy` that is not a name is a user's, and none takes the lowest id."""
    clock = clock or ManualClock()
    foreign = strategy is not None and not isinstance(strategy, str)
    chosen = strategy if foreign else strategy_named(strategy, clock) if strategy else First()
    pool = Pool(chosen, clock, foreign_strategy=foreign, **settings)
    for item in instances:
        pool.add(item, enabled=True)
    return pool


def deadline(clock: ManualClock, seconds: float | None = None) -> Deadline:
    return Deadline.after(clock, seconds)


def acquire(pool: Pool, task: str | None = None) -> Lease:
    return pool.acquire(Route(task), NEVER)


def only(*numbers: int) -> Route:
    """A route that may only go to these of the first five instances."""
    route = Route(None)
    for number in set(range(5)) - set(numbers):
        route.exclude(instance(number), Exclusion.INSTANCE)
    return route
