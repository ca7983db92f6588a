"""What the server counts in one run: the only witness of what went over the wire."""

from collections import Counter
from time import monotonic, process_time
from typing import Any


class Tally:
    """Counters of one run, over all its providers. Used by the server's thread; read when the run is over."""

    def __init__(self, requests: int) -> None:
        self.kinds: Counter[str] = Counter()
        self.attempts = [0] * requests
        self.answers = [0] * requests
        self.lateness: list[float] = []
        self.peak = 0
        self.recovered: float | None = None
        self._began, self._cpu = monotonic(), process_time()

    def report(self) -> dict[str, Any]:
        """Return everything as JSON can carry it. Times are real seconds, `recovered` is the world's."""
        late = sorted(self.lateness) or [0.0]
        return {
            "wire": sum(self.kinds.values()),
            "kinds": dict(self.kinds),
            "answered_twice": sum(count > 1 for count in self.answers),
            "unanswered": sum(count == 0 for count in self.answers),
            "late_mean": sum(late) / len(late),
            "late_p99": late[int(0.99 * (len(late) - 1))],
            "peak": self.peak,
            "recovered": self.recovered,
            "cpu": process_time() - self._cpu,
            "elapsed": monotonic() - self._began,
        }
