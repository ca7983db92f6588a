"""Virtual time: a clock that stands still until the simulation moves it, and what is to happen when."""

import heapq
import itertools
import math
import random
import threading
from collections.abc import Callable
from typing import Any


class SimulatedClock:
    """The `Clock` of the core under simulation, with a random stream of its own."""

    def __init__(self, seed: object) -> None:
        self.now = 1000.0
        self._random = random.Random(f"{seed}/core")
        self._agenda: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = itertools.count()

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self._random.random()

    def wait(self, event: threading.Event, timeout: float) -> bool:
        raise AssertionError("nothing in the core may wait by itself")

    def at(self, when: float, action: Callable[..., object], *args: Any) -> None:
        """Do `action` at the instant `when`; never if that is infinite."""
        if when != math.inf:
            heapq.heappush(self._agenda, (max(when, self.now), next(self._order), action, args))

    @property
    def next_at(self) -> float:
        """When the next action is due, infinite if there is none."""
        return self._agenda[0][0] if self._agenda else math.inf

    def pop(self) -> tuple[Callable[..., object], tuple[Any, ...]]:
        """Move to the next action and return it."""
        self.now, _, action, args = heapq.heappop(self._agenda)
        return action, args
