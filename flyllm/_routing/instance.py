"""An instance: provider + model + key + endpoint, what may run on it, and how it is doing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from flyllm._clock import Clock
from flyllm._resilience.backoff import respectful
from flyllm._resilience.breaker import Breaker
from flyllm._resilience.ceiling import Ceiling
from flyllm._resilience.classification import Signal
from flyllm._routing.limits import RateLimits, Ticket
from flyllm._routing.price import Price
from flyllm._routing.price_list import ListPrice
from flyllm._routing.stats import Latency
from flyllm._routing.token_estimate import TokenEstimate
from flyllm.errors import RateLimitError
from flyllm.providers.base import ApiSpec, Provider
from flyllm.providers.capabilities import left

if TYPE_CHECKING:
    from flyllm._routing.lease import Lease, Report

MAX_COOL = 300.0
"""Seconds an instance is left alone at most on its own word (Linkerd's)."""

DEFAULT_CONCURRENCY = 64
"""Attempts in flight at one instance where the user sets no limit."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What an attempt will take of limits on tokens: the prompt's bytes, and the answer's limit (None: none)."""

    size: int = 0
    max_tokens: object = None


@dataclass(frozen=True, slots=True)
class Instance:
    """What does not change about an instance.

    `attempt_timeout` is seconds for one attempt; `rpm` and `tpm` are declared limits a minute, None where there is
    none; instances of a higher `priority` number serve only while none of a lower one can; `context_window` is in
    tokens, None where it is not known; `cannot` is what the model cannot do of what its API can, in the words of a
    configuration, and `can` is what that leaves.
    """

    id: int
    name: str
    provider: str
    model: str
    tasks: frozenset[str]
    api: ApiSpec
    adapter: Provider
    params: Mapping[str, Any] = field(default_factory=dict)
    max_concurrency: int = DEFAULT_CONCURRENCY
    attempt_timeout: float = 180.0
    rpm: int | None = None
    tpm: int | None = None
    weight: float = 1.0
    priority: int = 0
    context_window: int | None = None
    cannot: Sequence[str] = ()
    price: Price | ListPrice = Price()
    can: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "can", left(self.api.can, self.cannot))


class InstanceView(Protocol):
    """What a strategy may know of a candidate.

    `max_concurrency` is what it is given at once at most, learned ceiling included. `last_selected` grows with every
    selection in the pool. `latency` is seconds as of `latency_updated` on the
    monotonic clock, None before the first answer.
    """

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def max_concurrency(self) -> int: ...
    @property
    def weight(self) -> float: ...
    @property
    def last_selected(self) -> int: ...
    @property
    def latency(self) -> float | None: ...
    @property
    def latency_updated(self) -> float: ...


@dataclass(frozen=True, slots=True)
class InstanceSnapshot:
    """An instance as it was at one moment: given to user-written strategies and by `manager.instances`.

    `requests` are the attempts that it answered or failed, `failures` those it failed; an error that is the request's
    own, or this process's, is neither.
    `health` is "closed" (given requests), "open" (left alone) or "half_open" (being tried). `cooling` is the seconds
    for which it asked to be left alone. `max_concurrency` includes what was learned of its ceiling.
    """

    id: int
    name: str
    provider: str
    model: str
    tasks: frozenset[str]
    enabled: bool
    priority: int
    weight: float
    in_flight: int
    max_concurrency: int
    last_selected: int
    latency: float | None
    latency_updated: float
    requests: int
    failures: int
    health: str
    cooling: float


@dataclass(frozen=True, slots=True)
class PoolSnapshot:
    """All instances at one moment, by id, the requests that wait for one, and the retries that may be made at once."""

    instances: Sequence[InstanceSnapshot]
    waiting: int
    retry_tokens: float


class InstanceState:
    """What changes about an instance. Guarded by the pool's lock; an `InstanceView` for strategies under it."""

    __slots__ = (
        "_clock",
        "_estimate",
        "_latency",
        "breaker",
        "ceiling",
        "cool_until",
        "denied",
        "enabled",
        "failures",
        "id",
        "in_flight",
        "instance",
        "last_selected",
        "last_success",
        "latency",
        "latency_updated",
        "leases",
        "limited",
        "limits",
        "model",
        "name",
        "provider",
        "requests",
        "tasks",
        "weight",
    )

    def __init__(self, instance: Instance, clock: Clock, *, enabled: bool, last_selected: int) -> None:
        self.instance = instance
        # Copied: strategies read them for every candidate of every request.
        self.id, self.name, self.weight = instance.id, instance.name, instance.weight
        self.provider, self.model, self.tasks = instance.provider, instance.model, instance.tasks
        self.enabled = enabled
        self.leases: dict[Lease, None] = {}  # those not yet closed, in the order in which they were given
        self.in_flight = 0  # how many these are
        self.last_selected = last_selected
        self.requests = self.failures = 0
        self.denied = 0  # 403s in a row without a telling code
        self.cool_until = 0.0
        self.last_success = float("-inf")
        self.breaker = Breaker(clock)
        self.ceiling = Ceiling(instance.max_concurrency)
        self.limits = RateLimits(instance.rpm, instance.tpm)
        self.limited = instance.rpm is not None or instance.tpm is not None  # else there is nothing to ask `limits`
        self._clock = clock
        self._estimate = TokenEstimate(instance.provider)
        self._latency = Latency()
        self.latency, self.latency_updated = self._latency.value, self._latency.updated

    @property
    def max_concurrency(self) -> int:
        """What it is given at once at most."""
        return self.ceiling.limit

    @property
    def has_room(self) -> bool:
        """Whether it may be given one attempt more at once."""
        return self.in_flight < self.ceiling.limit

    def ready_at(self, demand: Demand, now: float) -> float:
        """Return when limits and cool-downs allow an attempt of that `demand`."""
        return (
            max(self.cool_until, self.limits.ready_at(self._charge(demand), now)) if self.limited else self.cool_until
        )

    def begin(self, demand: Demand, now: float) -> Ticket:
        """Book an attempt against the declared limits."""
        return self.limits.start(self._charge(demand), now)

    def end(self, lease: "Lease", report: "Report", now: float) -> None:
        """Take in what an attempt says of limits, cool-downs and speed."""
        error, verdict = report.error, report.verdict
        self._settle(lease, report, now)
        if report.told:
            self.limits.observe(report.told, lease.ticket, now)
            self.limited = True
        if error is not None and error.retry_after is not None:
            self.cool(self._rest(error.retry_after), now)
        # A refusal of the request itself says nothing of the instance, not even how fast it is.
        telling = verdict.overload or verdict.signal in (Signal.GOOD, Signal.SOFT, Signal.HARD)
        if telling or verdict.eject is not None:
            self.requests += 1
            self.failures += error is not None
        if telling:
            self._latency.record(report.seconds, now, success=verdict.signal is Signal.GOOD)
        elif verdict.signal is Signal.SLOW:
            self._latency.at_least(report.seconds, now)
        self.latency, self.latency_updated = self._latency.value, self._latency.updated

    def usually_within(self) -> float | None:
        """Return the seconds within which 95 of 100 of its answers came lately, None where it has given too few."""
        return self._latency.usually_within()

    def lateness(self, seconds: float) -> Signal:
        """Return what it says of this instance that a request's deadline ended an attempt after `seconds`."""
        usual = self._latency.answers
        return Signal.NONE if usual is not None and seconds < usual else Signal.SOFT

    def cool(self, seconds: float, now: float) -> None:
        """Leave the instance alone for `seconds`; a shorter time than is set already changes nothing."""
        self.cool_until = max(self.cool_until, now + seconds)

    def forgive(self, clock: Clock) -> None:
        """Forget what led to the instance being left alone, and what is still under way from that time."""
        self.cool_until = 0.0
        self.denied = 0
        self.breaker = Breaker(clock, since=clock.monotonic())
        self.ceiling = Ceiling(self.instance.max_concurrency)

    def _rest(self, asked: float) -> float:
        """Return the seconds to leave it alone that asked for so many: not less, unless that is beyond all reason."""
        seconds = respectful(min(MAX_COOL, asked), self._clock)
        return seconds if asked > MAX_COOL else min(MAX_COOL, seconds)

    def _charge(self, demand: Demand) -> int:
        return self._estimate.charge(demand.size, demand.max_tokens) if self.instance.tpm is not None else 0

    def _settle(self, lease: "Lease", report: "Report", now: float) -> None:
        if isinstance(report.error, RateLimitError):
            self.limits.refuse(lease.ticket, now)
        elif not report.sent:
            self.limits.refund(lease.ticket)
        elif self.instance.tpm is not None:
            self.limits.settle(lease.ticket, self._estimate.learn(lease.demand.size, report.usage), now)

    def snapshot(self, now: float) -> InstanceSnapshot:
        """Return an immutable copy."""
        return InstanceSnapshot(
            id=self.id,
            name=self.name,
            provider=self.provider,
            model=self.model,
            tasks=self.instance.tasks,
            enabled=self.enabled,
            priority=self.instance.priority,
            weight=self.weight,
            in_flight=self.in_flight,
            max_concurrency=self.max_concurrency,
            last_selected=self.last_selected,
            latency=self.latency,
            latency_updated=self.latency_updated,
            requests=self.requests,
            failures=self.failures,
            health=self.breaker.state.value,
            cooling=max(0.0, self.cool_until - now),
        )
