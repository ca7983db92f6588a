"""A request in the queue for an instance."""

import math
import threading

from flyllm._routing.lease import Lease
from flyllm._routing.route import Route
from flyllm.errors import LLMError


class Waiter:
    """A request in the queue, from when it `arrived` to its deadline. Settled once `lease` or `error` is set.

    `ready` is set then, or to let it look again, where a thread waits.
    """

    __slots__ = ("arrived", "error", "lease", "ready", "route", "until")

    def __init__(self, route: Route, arrived: float, until: float = math.inf) -> None:
        self.route, self.arrived, self.until = route, arrived, until
        self.lease: Lease | None = None
        self.error: LLMError | None = None
        self.ready: threading.Event | None = None

    def wake(self) -> None:
        """Have its thread look, if one waits."""
        if self.ready is not None:
            self.ready.set()

    @property
    def settled(self) -> bool:
        """Whether it is decided what becomes of the request."""
        return self.lease is not None or self.error is not None
