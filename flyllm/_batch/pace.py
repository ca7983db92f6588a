"""How fast responses come at present: counted in buckets of time, in constant time and memory."""

from collections import deque

RECENT, LONG = 30.0, 300.0
"""Seconds that the two windows look back: the rate is that of the recent one."""

ENOUGH = 20
"""Responses within the recent window from which it can foretell; slower batches are foretold by the long one."""

BUCKETS = 30


class Pace:
    """The rate of a batch, at present and as a forecast. Guarded by its owner's lock."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._recent, self._long = _Window(RECENT), _Window(LONG)

    def begin(self, now: float) -> None:
        """Let time count from now on, if it does not already."""
        if self._since is None:
            self._since = now

    def record(self, now: float) -> None:
        """Count one response."""
        self.begin(now)
        self._recent.record(now)
        self._long.record(now)

    def rate(self, now: float) -> float:
        """Return responses per second over the recent window."""
        return self._per_second(self._recent, now)

    def forecast(self, now: float) -> float:
        """Return the responses per second to reckon with; 0 where there is nothing to go by."""
        return self._per_second(self._recent if self._recent.count(now) >= ENOUGH else self._long, now)

    def _per_second(self, window: "_Window", now: float) -> float:
        if self._since is None:
            return 0.0
        # The first moments say little: one response after a millisecond is no rate of a thousand.
        seconds = max(1.0, now - max(self._since, window.begin(now)))
        return window.count(now) / seconds


class _Window:
    """Responses of the last `span` seconds, less up to one bucket."""

    def __init__(self, span: float) -> None:
        self._width = span / BUCKETS
        self._buckets: deque[list[int]] = deque()  # [slot, responses], oldest first

    def record(self, now: float) -> None:
        slot = int(now / self._width)
        if not self._buckets or self._buckets[-1][0] != slot:
            self._buckets.append([slot, 0])
            if len(self._buckets) > BUCKETS:
                self._buckets.popleft()
        self._buckets[-1][1] += 1

    def begin(self, now: float) -> float:
        return self._oldest(now) * self._width

    def count(self, now: float) -> int:
        oldest = self._oldest(now)
        return sum(count for slot, count in self._buckets if slot >= oldest)

    def _oldest(self, now: float) -> int:
        return int(now / self._width) - BUCKETS + 1
