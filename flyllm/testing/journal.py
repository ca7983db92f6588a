"""What happened at one simulated provider: requests, connections, requests in flight. Threads may wait for it."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from flyllm.testing.records import RecordedRequest


class Journal:
    """Records and counters, written by the server's thread and read by all others."""

    def __init__(self, keep: int | None) -> None:
        # Guards all fields and wakes those who wait for a change.
        self._changed = threading.Condition()
        self._records: deque[RecordedRequest] = deque(maxlen=keep)
        self._gone: set[int] = set()
        self._waiting = 0
        self.requests = self.connections = self.in_flight = self.peak = 0

    def connected(self) -> int:
        """Count an accepted connection and return its number."""
        with self._changed:
            self.connections += 1
            self._notify()
            return self.connections

    def next_number(self) -> int:
        """Return the number of the request that is about to be recorded."""
        return self.requests + 1

    def begun(self, record: RecordedRequest) -> None:
        """Record a request that was read completely."""
        with self._changed:
            self.requests += 1
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
            self._records.append(record)
            self._notify()

    def ended(self, number: int, *, disconnected: bool) -> None:
        """Note that a request is over."""
        with self._changed:
            self.in_flight -= 1
            if disconnected:
                self._gone.add(number)
            self._notify()

    def touched(self) -> None:
        """Wake those who wait: something changed that is not counted here."""
        with self._changed:
            self._notify()

    def records(self) -> list[RecordedRequest]:
        """Return the records kept, oldest first."""
        with self._changed:
            return [replace(r, disconnected=True) if r.number in self._gone else r for r in self._records]

    def forget(self) -> None:
        """Drop the records and start the counters again; requests in flight stay counted."""
        with self._changed:
            self._records.clear()
            self._gone.clear()
            self.requests = self.connections = 0
            self.peak = self.in_flight

    def wait_for(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until `condition` holds, which is looked at after every change; return whether it does."""
        with self._changed:
            self._waiting += 1
            try:
                return self._changed.wait_for(condition, timeout)
            finally:
                self._waiting -= 1

    def _notify(self) -> None:
        if self._waiting:
            self._changed.notify_all()
