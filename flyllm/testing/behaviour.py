"""How a simulated provider answers one request: a value. What it does by default and in a queue: `script`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import log
from random import Random
from typing import Any

from flyllm.testing.faults import Fault, StreamFault
from flyllm.testing.wires.base import Call, ErrorKind, Reply

Answering = Callable[[Call], Reply | str]
Latency = float | Callable[[Random], float]

_BY_STATUS = {
    400: ErrorKind.INVALID_REQUEST,
    401: ErrorKind.AUTHENTICATION,
    402: ErrorKind.QUOTA,
    403: ErrorKind.PERMISSION,
    404: ErrorKind.MODEL_NOT_FOUND,
    429: ErrorKind.RATE_LIMIT,
    503: ErrorKind.OVERLOADED,
    529: ErrorKind.OVERLOADED,
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What happens to one request.

    Args:
        reply: what the model answers: a `Reply`, its text, or a function of the `Call` that returns either (it
            runs in the server's thread, so it must not block). None answers with a text derived from the seed.
        latency: seconds before the first byte: a number, or a function of a `Random`, such as `lognormal(...)`.
        pace: seconds between frames of a stream (and between bytes of `Fault.SLOW_HEADERS` and `SLOW_BODY`).
        error: answer with this error, in the provider's words.
        message: the error's message instead of the provider's own.
        error_rate: probability of `error` (a server error where None); drawn from the seed and request number.
        retry_after: value of a Retry-After header: seconds, or a text such as an HTTP date.
        status: HTTP status instead of the usual one.
        headers: headers added to the answer, replacing equal ones. `{"connection": "close"}` also closes.
        body: raw bytes of the answer instead of anything generated.
        content_type: instead of the usual one.
        fault: a `Fault` or a `StreamFault`.
        fragment: bytes per HTTP chunk of a streamed answer, wherever frames end; None sends one frame per chunk.
    """

    reply: Reply | str | Answering | None = None
    latency: Latency = 0.0
    pace: float = 0.0
    error: ErrorKind | None = None
    message: str | None = None
    error_rate: float | None = None
    retry_after: float | str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str | None = None
    fault: Fault | StreamFault | None = None
    fragment: int | None = None

    def delay(self, rng: Random) -> float:
        """Return this request's seconds before the first byte."""
        return max(0.0, self.latency(rng) if callable(self.latency) else self.latency)

    def erring(self, rng: Random) -> ErrorKind | None:
        """Return the error this request is answered with, None where it succeeds."""
        if self.error_rate is None:
            return self.error
        return (self.error or ErrorKind.SERVER_ERROR) if rng.random() < self.error_rate else None


Outcome = Behaviour | Reply | str | Answering | ErrorKind | int | Fault | StreamFault
"""Anything that says how to answer: a behaviour, an answer, an error kind or HTTP status, or a fault."""


def behaviour_of(outcome: Outcome, base: Behaviour, **changes: Any) -> Behaviour:
    """Return `outcome` as a behaviour; what it does not say is taken from `base`, and `changes` win."""
    if isinstance(outcome, Behaviour):
        return replace(outcome, **changes)
    if isinstance(outcome, ErrorKind):
        return replace(base, **{"error": outcome, "error_rate": None, **changes})
    if isinstance(outcome, int):
        kind = _BY_STATUS.get(outcome, ErrorKind.SERVER_ERROR if outcome >= 500 else ErrorKind.INVALID_REQUEST)
        return replace(base, **{"error": kind, "status": outcome, "error_rate": None, **changes})
    if isinstance(outcome, Fault | StreamFault):
        return replace(base, **{"fault": outcome, **changes})
    # Beside an error_rate the error only says what fails, not that it fails.
    error = base.error if changes.get("error_rate", base.error_rate) is not None else None
    return replace(base, **{"reply": outcome, "error": error, "fault": None, "body": None, **changes})


def lognormal(mean: float, sigma: float = 0.5) -> Callable[[Random], float]:
    """Return a latency of `mean` seconds on average whose logarithm varies by `sigma`: a long tail, never negative."""
    mu = log(mean) - sigma * sigma / 2
    return lambda rng: rng.lognormvariate(mu, sigma)
