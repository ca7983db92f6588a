"""Time and randomness: the only file that reads a clock, sleeps or draws a random number.

Everything else takes a `Clock`, so that a test moves time by hand and a fork reseeds in one place.
"""

import os
import random
import threading
import time
from typing import Protocol

from flyllm._scope import raise_if_called_off

SLICE = 0.5
"""Seconds of one system wait at most: a lock acquired without end does not see Ctrl-C on Windows (cpython#80116)."""


class Clock(Protocol):
    """What the package needs to know of time and chance."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""

    def wall(self) -> float:
        """Return seconds since the epoch, for records that a person reads."""

    def uniform(self, low: float, high: float) -> float:
        """Return a random float between `low` and `high`."""

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait until `event` is set or `timeout` seconds (`math.inf`: for ever) passed; return whether it was set.

        Raises what calls this thread's work off.
        """


class SystemClock:
    """The real clock, with a random stream of its own that differs in every forked child."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._random = random.Random()  # noqa: S311 - jitter, not cryptography

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def uniform(self, low: float, high: float) -> float:
        """Return a random float; a forked child starts a new stream, or all would jitter alike."""
        if self._pid != os.getpid():
            self._pid, self._random = os.getpid(), random.Random()  # noqa: S311
        return self._random.uniform(low, high)

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait on `event` for at most `timeout` seconds, in slices."""
        until = time.monotonic() + timeout
        while not event.wait(min(SLICE, max(0.0, until - time.monotonic()))):
            raise_if_called_off()
            if time.monotonic() >= until:
                return False
        return True
