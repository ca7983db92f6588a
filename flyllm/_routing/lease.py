"""The right to make one attempt at one instance, closed exactly once with what came of it."""

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
    """A reserved place at `instance`. Closing it again does nothing."""

    __slots__ = ("_close", "instance", "reason", "waited")

    def __init__(
        self, instance: Instance, waited: float, reason: str, close: Callable[["Lease", Outcome, float], None]
    ) -> None:
        self.instance, self.waited, self.reason = instance, waited, reason
        self._close: Callable[[Lease, Outcome, float], None] | None = close

    def close(self, outcome: Outcome, seconds: float) -> None:
        """Give the place back after an attempt of `seconds`."""
        close, self._close = self._close, None
        if close is not None:
            close(self, outcome, seconds)
