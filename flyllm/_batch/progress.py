"""What is counted of a batch while it runs."""

from collections.abc import Iterable
from threading import Lock

from flyllm._batch.pace import Pace
from flyllm._batch.snapshot import BatchProgress
from flyllm._clock import Clock
from flyllm.types import LLMResponse, TokenUsage


class Progress:
    """Counts the responses of a batch of `total` requests, None where that is not known. Any thread may count."""

    def __init__(self, clock: Clock, total: int | None) -> None:
        self._clock, self._total = clock, total
        self._began = clock.monotonic()
        self._lock = Lock()
        self._pace = Pace()
        self._done = self._failed = self._recalled = self._retried = 0
        self._tokens: int | None = None
        self._cost: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the batch began."""
        return self._clock.monotonic() - self._began

    def begun(self) -> None:
        """Take note that a request was handed to a worker: what was recalled before is not counted as slowness."""
        with self._lock:
            self._pace.begin(self._clock.monotonic())

    def finished(self, response: LLMResponse, recalled: bool = False) -> None:
        """Count `response`; one `recalled` from an earlier run took this run no time, tokens or money."""
        with self._lock:
            self._done += 1
            self._failed += response.error is not None
            if recalled:
                self._recalled += 1
            else:
                self._spend(response)

    def snapshot(self, in_flight: int, cooling: Iterable[str] = ()) -> BatchProgress:
        """Return the counts of this moment, with what others know: requests in flight, names of cooling instances."""
        with self._lock:
            now = self._clock.monotonic()
            return BatchProgress(
                done=self._done,
                failed=self._failed,
                recalled=self._recalled,
                retried=self._retried,
                in_flight=in_flight,
                total=self._total,
                tokens=self._tokens,
                cost=self._cost,
                rate=self._pace.rate(now),
                eta=self._eta(now),
                elapsed=now - self._began,
                cooling=tuple(cooling),
            )

    def _spend(self, response: LLMResponse) -> None:
        self._retried += max(0, len(response.attempts) - 1)
        self._pace.record(self._clock.monotonic())
        for usage in [attempt.usage for attempt in response.attempts] or [response.usage]:
            tokens = _tokens(usage)
            if tokens is not None:
                self._tokens = (self._tokens or 0) + tokens
        if response.cost is not None:
            self._cost = (self._cost or 0.0) + response.cost

    def _eta(self, now: float) -> float | None:
        if self._total is None:
            return None
        left, pace = max(0, self._total - self._done), self._pace.forecast(now)
        if not left:
            return 0.0
        return left / pace if pace else None


def _tokens(usage: TokenUsage) -> int | None:
    if usage.total_tokens is not None or (usage.prompt_tokens is None and usage.completion_tokens is None):
        return usage.total_tokens
    return (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
