"""A clock that runs faster than time, so that a minute's outage takes two seconds of a test."""

import threading
import time

from flyllm._clock import SystemClock


class FastClock(SystemClock):
    """Runs `speed` times as fast as the real one. Socket timeouts, which no clock rules, stay real seconds.

    `interrupt` is raised, once, by the next wait: a Ctrl-C at that very place.
    """

    def __init__(self, speed: float) -> None:
        super().__init__()
        self.speed = speed
        self._skipped = 0.0
        self.interrupt: BaseException | None = None

    def monotonic(self) -> float:  # type: ignore[override]
        """Return fast seconds."""
        return time.monotonic() * self.speed + self._skipped

    def skip(self, seconds: float) -> None:
        """Let fast seconds pass at once. A wait under way does not notice."""
        self._skipped += seconds

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Wait for `timeout` fast seconds at most."""
        interrupt, self.interrupt = self.interrupt, None
        if interrupt is not None:
            raise interrupt
        return super().wait(event, timeout / self.speed)
