"""Events: frozen records of attempts, requests and instances, and how they reach the observers."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

from flyllm.errors import LLMError
from flyllm.request import GenerationRequest
from flyllm.types import Attempt, LLMResponse

logger = logging.getLogger("flyllm.observability")

Change = Literal["cooling", "ejected", "recovered"]
"""What became of an instance: left alone because it asked for it, left alone because it fails, given requests again."""


class AttemptStart(NamedTuple):  # every attempt has one, and a frozen dataclass costs more to make
    """An attempt is about to be sent.

    `id` is flyllm's name of its request; `waited` and `chosen_because` are what `Attempt` says of them; `before` is the
    attempt of the same request that ended last, None for the first.
    """

    id: str
    number: int
    instance_id: int
    instance_name: str
    provider: str
    model: str
    waited: float
    chosen_because: str
    before: Attempt | None
    request: GenerationRequest

    @property
    def again(self) -> bool:
        """Whether it repeats what failed, or is made beside what takes long; not so the next of a request's calls."""
        return self.number > 1 and not (self.before is not None and self.before.success)


@dataclass(frozen=True, slots=True)
class AttemptEvent:
    """An attempt ended.

    `error` is None where it brought the answer or was given up. `params` are the merged parameters of the request
    as sent. `content` is the answer's text, or what had come of it. `id` is flyllm's name of the request.
    """

    attempt: Attempt
    request: GenerationRequest
    params: Mapping[str, Any]
    error: LLMError | None
    content: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class RequestEvent:
    """A request ended, with an answer or an error in `response`. `id` is flyllm's name of it."""

    request: GenerationRequest
    response: LLMResponse
    streamed: bool = False
    id: str = ""


@dataclass(frozen=True, slots=True)
class InstanceEvent:
    """An instance changed. `seconds` is for how long it is left alone, `error` why; None where it is not."""

    instance_id: int
    instance_name: str
    provider: str
    model: str
    change: Change
    seconds: float | None = None
    error: LLMError | None = None


class Observer:
    """A sink of events: derive from it and override what you want to see.

    What a manager is given as observers runs in a thread of its own, in the context of the request, and may therefore
    be slow; events come in their order. Any object that has one of these methods will do.
    """

    def on_start(self, event: AttemptStart) -> None:
        """Take in that an attempt is about to be sent."""

    def on_attempt(self, event: AttemptEvent) -> None:
        """Take in an attempt."""

    def on_request(self, event: RequestEvent) -> None:
        """Take in a request."""

    def on_instance(self, event: InstanceEvent) -> None:
        """Take in what became of an instance."""


E = TypeVar("E")
Takers = Sequence[tuple[object, Callable[[E], None]]]
"""Observers, each with its method for one sort of event."""


class Emitter:
    """Hands every event to the observers that want it. One that raises is logged once and cannot fail a request."""

    def __init__(self, observers: Sequence[object]) -> None:
        self.starts: Takers[AttemptStart] = _takers("on_start", observers)
        self.attempts: Takers[AttemptEvent] = _takers("on_attempt", observers)
        self.requests: Takers[RequestEvent] = _takers("on_request", observers)
        self.instances: Takers[InstanceEvent] = _takers("on_instance", observers)
        self._lock = threading.Lock()  # guards _reported
        self._reported: set[int] = set()

    def start(self, event: AttemptStart) -> None:
        """Hand out the beginning of an attempt."""
        self._hand_out(event, self.starts)

    def attempt(self, event: AttemptEvent) -> None:
        """Hand out the end of an attempt."""
        self._hand_out(event, self.attempts)

    def request(self, event: RequestEvent) -> None:
        """Hand out the end of a request."""
        self._hand_out(event, self.requests)

    def instance(self, event: InstanceEvent) -> None:
        """Hand out a change of an instance."""
        self._hand_out(event, self.instances)

    def _hand_out(self, event: E, takers: Takers[E]) -> None:
        for observer, take in takers:
            try:
                take(event)
            except Exception:
                self._report(observer)

    def _report(self, observer: object) -> None:
        with self._lock:
            first = id(observer) not in self._reported
            self._reported.add(id(observer))
        if first:
            logger.exception("observer %r failed; further failures of it are not logged", type(observer).__name__)


def _takers(method: str, observers: Sequence[object]) -> Takers[Any]:
    """Return the observers that do more than nothing in `method`."""
    nothing = getattr(Observer, method)
    return [(o, getattr(o, method)) for o in observers if getattr(type(o), method, nothing) is not nothing]
