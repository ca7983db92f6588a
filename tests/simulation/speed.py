"""What the scheduler costs: processor microseconds per request, `python -m tests.simulation.speed`."""

import time
from collections import deque

from flyllm._resilience.budget import RetryBudget
from flyllm._routing.instance import InstanceState
from flyllm._routing.lease import Lease, Report
from flyllm._routing.route import Route
from flyllm._routing.scheduler import Scheduler
from flyllm._routing.strategies import STRATEGY_NAMES, strategy_named
from flyllm._routing.waiter import Waiter
from flyllm.types import TokenUsage
from tests.simulation.clock import SimulatedClock
from tests.unit.fakes import instance

USAGE = TokenUsage()


def per_request(strategy: str, instances: int, workers: int, requests: int, **options: object) -> float:
    """Return microseconds per request where `workers` are always under way or in the queue."""
    clock = SimulatedClock(0)
    scheduler = Scheduler(strategy_named(strategy, clock), clock, RetryBudget(clock.now), 300.0)
    for number in range(instances):
        scheduler.add(InstanceState(instance(number, **options), clock, enabled=True, last_selected=-number))
    parked: deque[Waiter] = deque()
    leases: deque[Lease] = deque()
    began = time.process_time()
    for _ in range(workers):
        parked.append(scheduler.submit(Route(None)))
    for _ in range(requests):
        while parked and parked[0].lease is not None:
            leases.append(parked.popleft().lease)  # type: ignore[arg-type]
        clock.now += 0.01
        leases.popleft().close(Report.success(1.0, USAGE, None))
        parked.append(scheduler.submit(Route(None)))
        scheduler.wake_at()  # the pool asks after every change
    return (time.process_time() - began) / requests * 1e6


def main() -> None:
    """Print a table."""
    for name in STRATEGY_NAMES:
        few = per_request(name, 4, 256, 5000, max_concurrency=16)
        free = per_request(name, 4, 64, 5000, max_concurrency=64)
        many = per_request(name, 500, 64, 500, max_concurrency=4)
        print(f"{name:16} 256 at 4: {few:6.1f} us, 64 at 4, none waits: {free:6.1f} us, 64 at 500: {many:6.1f} us")


if __name__ == "__main__":
    main()
