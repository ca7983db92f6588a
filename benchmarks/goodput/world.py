"""The world a run happens in, as plain values: client and server read the same description.

All seconds are seconds of the world; `World.speed` of them pass in one real second.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, Literal

FaultKind = Literal["refuse", "error", "hang", "reject"]
"""The port is closed; 500; the request is read and never answered; 429 without a Retry-After."""

REFUSAL_SECONDS = 0.05
"""How long a provider takes to answer 429 or 500."""
SIGMA = 0.5
"""Of the logarithm of service times: a long tail, as answers of language models have."""


@dataclass(frozen=True, slots=True)
class Outage:
    """From `begin` to `end` an instance does nothing but `kind`."""

    begin: float
    end: float
    kind: FaultKind


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What a provider enforces: a bucket that refills evenly, or a log of the last `window` seconds.

    bucket: `burst` requests, refilled with `per_second`. window: `burst` requests in any `per_second ** -1 * burst`.
    charge_refused: a refused request counts as well ("unsuccessful requests contribute": OpenAI).
    """

    burst: float
    per_second: float
    kind: Literal["bucket", "window"] = "bucket"
    charge_refused: bool = False


@dataclass(frozen=True, slots=True)
class Provider:
    """One simulated instance: mean service time, what goes wrong, and limits it does not tell."""

    service: float = 1.0
    outages: tuple[Outage, ...] = ()
    error_rate: float = 0.0
    ceiling: int | None = None
    rate: RateLimit | None = None


@dataclass(frozen=True, slots=True)
class World:
    """Everything the server has to know of one run."""

    seed: int
    requests: int
    speed: float
    providers: tuple[Provider, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the description as it goes over the control channel."""
        return asdict(self)


def world_from_json(data: Mapping[str, Any]) -> World:
    """Return the description that `as_json` made."""
    return World(**{**data, "providers": tuple(_provider(each) for each in data["providers"])})


def _provider(data: Mapping[str, Any]) -> Provider:
    outages = tuple(Outage(**each) for each in data["outages"])
    rate = RateLimit(**data["rate"]) if data["rate"] is not None else None
    return Provider(**{**data, "outages": outages, "rate": rate})


def service_times(seed: int, requests: int) -> list[float]:
    """Return the service time of each request, of mean 1 in the long run: the same list for every contender."""
    rng = Random(f"service/{seed}")
    return [rng.lognormvariate(-SIGMA * SIGMA / 2, SIGMA) for _ in range(requests)]


def fails(seed: int, index: int, attempt: int, rate: float) -> bool:
    """Return whether this attempt at this request meets an inherent error."""
    return rate > 0.0 and Random(f"error/{seed}/{index}/{attempt}").random() < rate


def flapping(period: float, horizon: float, kind: FaultKind) -> tuple[Outage, ...]:
    """Return outages of `period` seconds with as much service between them, the first at once."""
    return tuple(Outage(2 * n * period, (2 * n + 1) * period, kind) for n in range(math.ceil(horizon / period / 2)))
