"""A clock for flyllm that runs faster than time, so that a minute's outage can be lived through in seconds.

Everything flyllm reckons in seconds (breakers, backoff, probes, rate windows, deadlines) comes from its clock, so all
proportions stay. Sockets know nothing of it: `client` divides what is handed to them.
"""

import random
import threading
import time

from flyllm._clock import SystemClock


class ScaledClock(SystemClock):
    """`speed` seconds pass in one real second; chance follows from `seed`."""

    def __init__(self, speed: float, seed: int) -> None:
        super().__init__()
        self.speed, self._ahead = speed, 0.0
        self._random = random.Random(f"clock/{seed}")

    def monotonic(self) -> float:
        """Return seconds on this clock."""
        return time.monotonic() * self.speed + self._ahead

    def wall(self) -> float:
        """Return real seconds since the epoch: only records show them."""
        return time.time()

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait for `timeout` seconds of this clock at most."""
        return super().wait(event, timeout / self.speed)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once; nothing must be waiting."""
        self._ahead += seconds
