"""Events: one frozen record per attempt and one per request, and how they reach the observers."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flyllm.errors import LLMError
from flyllm.request import GenerationRequest
from flyllm.types import Attempt, LLMResponse

logger = logging.getLogger("flyllm.observability")


@dataclass(frozen=True, slots=True)
class AttemptEvent:
    """An attempt ended.

    `error` is None where it brought the answer or was given up. `params` are the merged parameters of the request
    as sent. `content` is the answer's text, or what had come of it.
    """

    attempt: Attempt
    request: GenerationRequest
    params: Mapping[str, Any]
    error: LLMError | None
    content: str


@dataclass(frozen=True, slots=True)
class RequestEvent:
    """A request ended, with an answer or an error in `response`."""

    request: GenerationRequest
    response: LLMResponse
    streamed: bool = False


class Observer(Protocol):
    """A sink of events. Called in the requests' threads: must be quick and thread-safe."""

    def on_attempt(self, event: AttemptEvent) -> None:
        """Take in an attempt."""

    def on_request(self, event: RequestEvent) -> None:
        """Take in a request."""


class Emitter:
    """Hands every event to every observer. One that raises is logged once and cannot fail a request."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)
        self._lock = threading.Lock()  # guards _reported
        self._reported: set[int] = set()

    def attempt(self, event: AttemptEvent) -> None:
        """Hand out the end of an attempt."""
        for observer in self._observers:
            try:
                observer.on_attempt(event)
            except Exception:
                self._report(observer)

    def request(self, event: RequestEvent) -> None:
        """Hand out the end of a request."""
        for observer in self._observers:
            try:
                observer.on_request(event)
            except Exception:
                self._report(observer)

    def _report(self, observer: Observer) -> None:
        with self._lock:
            first = id(observer) not in self._reported
            self._reported.add(id(observer))
        if first:
            logger.exception("observer %r failed; further failures of it are not logged", type(observer).__name__)
