"""The providers of a simulated world: how long an attempt takes there, and how it ends."""

import math
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from flyllm.errors import (
    AuthenticationError,
    InvalidRequestError,
    LLMError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    RequestError,
    ServerError,
)

Kind = Literal[
    "ok", "error", "refused", "busy", "busy_until", "overloaded", "denied", "quota", "invalid", "hang", "local"
]
FAST = 0.05
"""Seconds of an error's way back."""


@dataclass(frozen=True)
class Outage:
    """From `begin` to `end` seconds after the start every attempt ends as `kind`."""

    begin: float
    end: float
    kind: Kind


@dataclass(frozen=True)
class Rate:
    """A limit on starts: a bucket of `burst` refilled with `per_second`, or a sliding `window` of as many seconds.

    `charged`: what is refused counts as well.
    """

    burst: float
    per_second: float = 0.0
    window: float | None = None
    charged: bool = False


@dataclass(frozen=True)
class Behaviour:
    """One provider: seconds of its service on average, chances of other endings, limits nobody is told of."""

    service: float = 1.0
    chances: Mapping[Kind, float] = field(default_factory=dict)
    outages: tuple[Outage, ...] = ()
    ceiling: int | None = None
    rate: Rate | None = None
    retry_after: float = 2.0
    slow: tuple[float, float, float] = (0.0, 0.0, 1.0)
    """From, until, and by what factor it is slower for a while."""


class Server:
    """One provider under way."""

    def __init__(self, behaviour: Behaviour, began: float, seed: object) -> None:
        self._behaviour, self._began = behaviour, began
        self._random = random.Random(f"{seed}/server")
        self.busy = 0
        self._level, self._filled = (behaviour.rate.burst if behaviour.rate else 0.0), began
        self._starts: deque[float] = deque()
        self.refusals = 0

    def receive(self, length: float, now: float) -> tuple[Kind, float]:
        """Begin an attempt whose service is `length` times the mean; return how and after how long it will end.

        A `busy` place is the caller's to free when the time is over, by `done`.
        """
        kind = self._kind(now)
        if kind == "ok":
            self.busy += 1
            begin, end, factor = self._behaviour.slow
            slower = factor if begin <= now - self._began < end else 1.0
            return kind, length * self._behaviour.service * slower
        if kind in ("busy", "busy_until"):
            self.refusals += 1
        return kind, math.inf if kind == "hang" else FAST

    def done(self, kind: Kind) -> None:
        """End an attempt."""
        self.busy -= kind == "ok"

    def error(self, kind: Kind) -> LLMError:
        """Return what an adapter would raise."""
        after = self._behaviour.retry_after
        return {
            "error": lambda: ServerError("500", status_code=500),
            "refused": lambda: RequestError("connection refused", sent=False),
            "local": lambda: RequestError("no file left", sent=False, local=True),
            "hang": lambda: RequestError("timed out", sent=True),
            "busy": lambda: RateLimitError("429", status_code=429),
            "busy_until": lambda: RateLimitError("429", status_code=429, retry_after=after),
            "overloaded": lambda: OverloadedError("529", status_code=529),
            "denied": lambda: AuthenticationError("401", status_code=401),
            "quota": lambda: QuotaExceededError("402", status_code=402),
            "invalid": lambda: InvalidRequestError("400", status_code=400),
        }[kind]()

    def _kind(self, now: float) -> Kind:
        since, behaviour = now - self._began, self._behaviour
        for outage in behaviour.outages:
            if outage.begin <= since < outage.end:
                return outage.kind
        if behaviour.ceiling is not None and self.busy >= behaviour.ceiling:
            return "busy"
        if behaviour.rate is not None and not self._within(behaviour.rate, now):
            return "busy"
        point = self._random.random()
        for kind, chance in behaviour.chances.items():
            point -= chance
            if point < 0.0:
                return kind
        return "ok"

    def _within(self, rate: Rate, now: float) -> bool:
        if rate.window is not None:
            while self._starts and self._starts[0] <= now - rate.window:
                self._starts.popleft()
            accepted = len(self._starts) < rate.burst
            if accepted or rate.charged:
                self._starts.append(now)
            return accepted
        self._level = min(rate.burst, self._level + (now - self._filled) * rate.per_second)
        self._filled = now
        accepted = self._level >= 1.0
        if accepted or rate.charged:
            self._level = max(0.0, self._level - 1.0)
        return accepted
