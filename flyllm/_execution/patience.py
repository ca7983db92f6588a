"""How long a stream is waited for: until its first content, between two events, in all."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from flyllm._clock import Clock
from flyllm._resilience.deadline import Deadline
from flyllm.errors import DeadlineExceededError, RequestError
from flyllm.providers.base import Delta, DeltaStream
from flyllm.request import GenerationRequest

PRECISION = 0.01
"""By what part the wait for an event may be shorter: to set it anew for each would cost as much as to read one."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """How long a stream may keep silent, beside the request's deadline; in seconds, infinite for no limit.

    Attributes:
        first_content: from the sending of an attempt to its first content.
        idle: between two events of an answer. Comments and pings are none: a server that lives need not answer.
    """

    first_content: float = 120.0
    idle: float = 60.0

    def of(self, request: GenerationRequest) -> "StreamLimits":
        """Return the limits of `request`, which may have its own."""
        return StreamLimits(request.first_content_timeout or self.first_content, request.idle_timeout or self.idle)


def until(source: DeltaStream, deadline: Deadline) -> Iterator[Delta]:
    """Yield from `source`, which the attempt's timeout ends, until the deadline."""
    try:
        for delta in source:
            if deadline.passed:
                raise _late()
            yield delta
    except RequestError:
        if not deadline.passed:
            raise
    else:
        return
    raise _late()


def timely(source: DeltaStream, deadline: Deadline, idle: float, clock: Clock) -> Iterator[Delta]:
    """Yield from `source` until the deadline, waiting at most `idle` seconds for each event.

    The wait is counted from when the consumer asks: what it does between two events is its own affair.
    """
    deltas, now, latest = iter(source), clock.monotonic, deadline.at
    until, enough = -math.inf, idle * (1 - PRECISION)
    while True:
        asked = now()
        if asked >= latest:
            raise _late()
        if until - asked < enough and until != latest:
            until = min(asked + idle, latest)
            source.limit(until - asked)
        try:
            delta = next(deltas)
        except StopIteration:
            return
        except RequestError as exc:
            if now() < until:
                raise
            overdue = _late() if until == latest else RequestError(f"the stream brought nothing for {idle:g} s")
            raise overdue from exc
        yield delta


def _late() -> DeadlineExceededError:
    return DeadlineExceededError("the request's deadline passed while its answer was streamed")
