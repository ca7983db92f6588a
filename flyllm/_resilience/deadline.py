"""The instant until which a request may take, over waiting, retries and all attempts."""

import math
from dataclasses import dataclass

from flyllm._clock import Clock


@dataclass(frozen=True, slots=True)
class Deadline:
    """An instant on the clock's monotonic scale; `math.inf` means none."""

    clock: Clock
    at: float

    @classmethod
    def after(cls, clock: Clock, seconds: float | None) -> "Deadline":
        """Return the deadline `seconds` from now; None means none."""
        return cls(clock, math.inf if seconds is None else clock.monotonic() + seconds)

    def remaining(self) -> float:
        """Return the seconds left, 0.0 once it has passed, `math.inf` where there is none."""
        return max(0.0, self.at - self.clock.monotonic()) if self.at != math.inf else math.inf

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.remaining() <= 0.0
