"""The right to make one attempt at one instance, closed exactly once with what came of it."""

import threading
from collections.abc import Callable
from enum import Enum

from flyllm._routing.instance import Instance


class Outcome(Enum):
    """What an attempt says about its instance."""

    SUCCESS = "success"
    FAILURE = "failure"
    IGNORED = "ignored"
    """Says nothing: the caller gave up, or the request itself was wrong."""


class Lease:
    """A reserved place at `instance`, chosen for `reason`. Closing it again, from any thread, does nothing."""

    __slots__ = ("_closed", "_give_back", "instance", "reason")

    def __init__(self, instance: Instance, reason: str, give_back: Callable[[Instance, Outcome, float], None]) -> None:
        self.instance, self.reason = instance, reason
        self._give_back = give_back
        self._closed = threading.Lock()  # taken once, by the thread that closes, and never released

    def close(self, outcome: Outcome, seconds: float) -> None:
        """Give the place back after an attempt of `seconds`."""
        if self._closed.acquire(blocking=False):
            self._give_back(self.instance, outcome, seconds)
