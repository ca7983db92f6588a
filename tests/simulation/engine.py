"""The simulation: the real scheduler and the real steps of the attempt loop, driven event by event under virtual time.

What threads do in the library is done here by the agenda: one event, then everything that follows from it at once. All
chance comes from the seed, so a run can be repeated to the byte; `digest` is the hash over its events.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from flyllm._execution.job import Job
from flyllm._execution.loop import Steps
from flyllm._resilience.budget import RetryBudget
from flyllm._resilience.classification import classify
from flyllm._resilience.deadline import Deadline
from flyllm._routing.instance import Demand, Instance, InstanceState
from flyllm._routing.lease import Lease, Report
from flyllm._routing.route import Route
from flyllm._routing.scheduler import Scheduler
from flyllm._routing.strategies import strategy_named
from flyllm._routing.waiter import Waiter
from flyllm.errors import DeadlineExceededError, LLMError, ManagerClosedError
from flyllm.request import GenerationRequest
from flyllm.types import TokenUsage
from tests.simulation.clock import SimulatedClock
from tests.simulation.server import Behaviour, Kind, Server
from tests.simulation.watch import WatchedScheduler, check_conservation, check_step

_REQUEST = GenerationRequest("Hi")
_NO_USAGE = TokenUsage()


@dataclass(eq=False)
class Flight:
    """One request on its way. `results` should end with exactly one."""

    number: int
    job: Job
    steps: Steps
    length: float
    results: list[object] = field(default_factory=list)
    waiter: Waiter | None = None
    lease: Lease | None = None
    wire: int = 0
    unsent: int = 0
    hops: int = 0
    cancelled: bool = False


@dataclass(frozen=True)
class Settings:
    """How the manager under simulation is set up."""

    strategy: str = "lru"
    max_retries: int = 5
    max_stall: float = 300.0
    retry_ratio: float = 1.0
    checked: bool = False


class Outlook:
    """The scheduler as the attempt loop sees it (in the library: the pool)."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.earliest = scheduler.earliest

    def eligible(self, route: Route) -> list[int]:
        return [state.id for state in self._scheduler.eligible(route)]


class Simulation:
    """One run."""

    def __init__(
        self, seed: object, instances: Sequence[Instance], behaviours: Sequence[Behaviour], settings: Settings
    ) -> None:
        self.seed, self.settings = seed, settings
        self.clock = clock = SimulatedClock(seed)
        self.began = clock.now
        budget = RetryBudget(clock.now, settings.retry_ratio)
        kind = WatchedScheduler if settings.checked else Scheduler
        self.scheduler = kind(strategy_named(settings.strategy, clock), clock, budget, settings.max_stall)
        for instance in instances:
            stamp = -1 - int(clock.uniform(0, 1_000_000))
            self.scheduler.add(InstanceState(instance, clock, enabled=True, last_selected=stamp))
        if isinstance(self.scheduler, WatchedScheduler):
            self.scheduler.watch()
        self.servers = {
            i.id: Server(b, clock.now, f"{seed}/{i.id}") for i, b in zip(instances, behaviours, strict=True)
        }
        self.outlook = Outlook(self.scheduler)
        self.flights: list[Flight] = []
        self._parked: dict[Flight, None] = {}
        self._lengths = random.Random(f"{seed}/lengths")
        self._queued = 0
        self._digest = hashlib.blake2b(digest_size=16)
        self._closed = False
        self.counted = 0
        self.events = 0
        self.finished_at = clock.now
        self.trips: Counter[int] = Counter()
        self.sends: list[float] = []  # seconds after the start
        self.sent_to: dict[int, list[float]] = {i.id: [] for i in instances}
        self.answers: list[float] = []

    # What happens from outside

    def batch(self, requests: int, workers: int, timeout: float | None = None) -> None:
        """Let `workers` do `requests` one after the other."""
        self._queued += requests
        self._timeout = timeout
        for _ in range(min(workers, requests)):
            self._next()

    def request(self, task: str | None = None, timeout: float | None = None, size: int = 0) -> Flight:
        """Begin one request now."""
        clock = self.clock
        route = Route(task, Demand(size))
        job = Job(_REQUEST, None, Deadline.after(clock, timeout), route, clock.now)
        steps = Steps(self.outlook, clock, self.settings.max_retries, job)
        flight = Flight(len(self.flights), job, steps, self._lengths.lognormvariate(-0.125, 0.5))
        self.flights.append(flight)
        self._log("request", flight.number, task, size)
        self._try(flight)
        return flight

    def cancel(self, flight: Flight) -> None:
        """Let the caller give up."""
        if flight.results:
            return
        flight.cancelled = True
        self._log("cancel", flight.number)
        if flight.waiter is not None:
            self.scheduler.withdraw(flight.waiter)
        if flight.lease is not None:
            lease, flight.lease = flight.lease, None
            lease.close(Report.nothing(self.clock.now - lease.began))
        self._finish(flight, "cancelled")

    def set_enabled(self, number: int, enabled: bool) -> None:
        """Open or close an instance, as the pool does."""
        self._log("enabled", number, enabled)
        state = self.scheduler.states[number]
        state.enabled = enabled
        if enabled:
            state.forgive(self.clock)
        self.scheduler.recheck()

    def close(self) -> None:
        """Close the manager, as the pool does."""
        self._log("close")
        self._closed = True
        for waiter in self.scheduler.waiters:
            waiter.error = ManagerClosedError("closed")
        self.scheduler.waiters.clear()

    def run(self) -> "Simulation":
        """Let time pass until nothing is left to happen."""
        self._settle()
        while self._step():
            self.events += 1
            assert self.events < 3_000_000, "it does not end"
        return self

    @property
    def digest(self) -> str:
        """The hash over everything that happened."""
        return self._digest.hexdigest()

    # What follows

    def _step(self) -> bool:
        clock, scheduler = self.clock, self.scheduler
        wake = max(scheduler.wake_at(), clock.now)
        if min(wake, clock.next_at) == float("inf"):
            return False
        if self.settings.checked and min(wake, clock.next_at) - 1e-6 > clock.now:
            check_conservation(scheduler, min(wake, clock.next_at) - 1e-6)  # it did not sleep too long
        if wake < clock.next_at:
            clock.now = wake
            self._log("tick")
            scheduler.tick()
        else:
            action, args = clock.pop()
            action(*args)
        self._settle()
        if isinstance(scheduler, WatchedScheduler):
            check_step(scheduler)
        return True

    def _next(self) -> None:
        if self._queued:
            self._queued -= 1
            self.request(timeout=self._timeout)

    def _try(self, flight: Flight) -> None:
        """Begin an attempt: what `Attempts.begin` and `Pool.acquire` do."""
        flight.steps.instance = None
        flight.lease = None
        try:
            if flight.job.deadline.passed:
                raise flight.job.late()
            if self._closed:
                raise ManagerClosedError("closed")
            flight.waiter = self.scheduler.submit(flight.job.route, flight.job.deadline.at)
        except LLMError as error:
            self._failed(flight, error)
            return
        self._parked[flight] = None
        if not flight.waiter.settled:
            self._look(flight)
            self.clock.at(flight.job.deadline.at, self._look, flight)

    def _look(self, flight: Flight) -> None:
        """Give up where the deadline comes first: what `Pool._look` does."""
        waiter, deadline = flight.waiter, flight.job.deadline
        if waiter is None or waiter.settled:
            return
        if self.scheduler.earliest(waiter.route) >= deadline.at:
            waiter.error = DeadlineExceededError("too late")
            self.scheduler.withdraw(waiter)

    def _settle(self) -> None:
        """Let everyone go on for whom it is decided what becomes of them."""
        while True:
            ready = [f for f in self._parked if f.waiter is not None and f.waiter.settled]
            if not ready:
                return
            for flight in ready:
                del self._parked[flight]
                waiter, flight.waiter = flight.waiter, None
                if flight.cancelled or waiter is None:
                    if waiter is not None and waiter.lease is not None:
                        waiter.lease.close(Report.unused())
                elif waiter.lease is not None:
                    self._send(flight, waiter.lease)
                else:
                    assert waiter.error is not None
                    self._failed(flight, waiter.error)

    def _send(self, flight: Flight, lease: Lease) -> None:
        now, instance = self.clock.now, lease.instance
        flight.lease, flight.steps.instance, flight.steps.probing = lease, instance, lease.probe
        timeout = min(instance.attempt_timeout, flight.job.deadline.remaining())
        if timeout <= 0.0:
            lease.close(Report.unused())
            self._failed(flight, flight.job.late(), made=False)
            return
        server = self.servers[instance.id]
        kind, seconds = server.receive(flight.length, now)
        flight.wire += 1
        self.sends.append(now - self.began)
        self.sent_to[instance.id].append(now - self.began)
        self._log("send", flight.number, instance.id, kind, lease.probe)
        self.clock.at(now + min(seconds, timeout), self._end, flight, lease, kind, seconds > timeout)

    def _end(self, flight: Flight, lease: Lease, kind: Kind, cut: bool) -> None:
        server, seconds = self.servers[lease.instance.id], self.clock.now - lease.began
        server.done(kind)
        if flight.lease is not lease:  # it was cancelled
            return
        self._log("end", flight.number, lease.instance.id, kind, cut)
        if kind == "ok" and not cut:
            lease.close(Report.success(seconds, _NO_USAGE, None))
            self.answers.append(self.clock.now - self.began)
            self._finish(flight, "ok")
            return
        error = server.error("hang" if cut else kind)
        flight.unsent += kind in ("refused", "local")
        flight.hops += kind in ("busy", "busy_until") or lease.probe
        breaker = self.scheduler.states[lease.instance.id].breaker
        closed = breaker.closed
        late = cut and flight.job.deadline.passed
        lease.close(Report.late(seconds, error) if late else Report.failure(seconds, error))
        self.trips[lease.instance.id] += closed and not breaker.closed
        self._failed(flight, error)

    def _failed(self, flight: Flight, error: LLMError, *, made: bool = True) -> None:
        """Decide on another attempt: what tenacity asks of the steps, in its order."""
        steps = flight.steps
        flight.lease = None
        if not made:
            steps.instance = None
        if steps.retryable(error):
            pause = steps.pause()
            if not steps.too_late(pause):
                steps.failover(error, pause)
                self.counted += classify(error).pays
                self._try(flight)
                return
        final, _ = steps.conclusion(error)
        self._finish(flight, final)

    def _finish(self, flight: Flight, result: object) -> None:
        flight.results.append(result)
        self._parked.pop(flight, None)
        self.finished_at = self.clock.now
        self._log("result", flight.number, result if isinstance(result, str) else type(result).__name__)
        if self._queued:
            self.clock.at(self.clock.now, self._next)

    def _log(self, *what: object) -> None:
        self._digest.update(repr((self.clock.now, *what)).encode())

    # Figures

    @property
    def wire(self) -> int:
        """Attempts that were made."""
        return sum(flight.wire for flight in self.flights)

    @property
    def answered(self) -> int:
        """Requests that got an answer."""
        return sum(flight.results == ["ok"] for flight in self.flights)

    @property
    def seconds(self) -> float:
        """From the start to the last result."""
        return self.finished_at - self.began
