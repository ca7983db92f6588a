"""What a simulated provider does next: a default behaviour and a queue of behaviours that hold once each."""

import threading
from collections import deque
from dataclasses import replace
from typing import Any

from flyllm.testing.behaviour import Behaviour, Outcome, behaviour_of
from flyllm.testing.faults import Fault

_AT_ACCEPT = (Fault.RESET_ON_ACCEPT, Fault.BLACKHOLE)


class Script:
    """The default and the queue. Written by the user's threads while the server's thread reads."""

    def __init__(self) -> None:
        # Guards both fields; held for a few assignments only.
        self._lock = threading.Lock()
        self._default = Behaviour()
        self._queue: deque[Behaviour] = deque()

    def next(self) -> Behaviour:
        """Take the next behaviour for a request."""
        with self._lock:
            return self._queue.popleft() if self._queue else self._default

    def at_accept(self) -> Fault | None:
        """Take the next behaviour if it concerns a connection just accepted, and return its fault."""
        with self._lock:
            fault = (self._queue[0] if self._queue else self._default).fault
            if not isinstance(fault, Fault) or fault not in _AT_ACCEPT:
                return None
            if self._queue:
                self._queue.popleft()
            return fault

    def enqueue(self, outcome: Outcome, times: int, changes: dict[str, Any]) -> None:
        """Add `times` one-shot behaviours; chance has no part in them unless a `Behaviour` says so itself."""
        if not isinstance(outcome, Behaviour):
            changes = {"error_rate": None, **changes}
        with self._lock:
            self._queue.extend([behaviour_of(outcome, self._default, **changes)] * times)

    def always(self, outcome: Outcome, changes: dict[str, Any]) -> None:
        """Make this the default."""
        with self._lock:
            self._default = behaviour_of(outcome, self._default, **changes)

    def change(self, changes: dict[str, Any]) -> None:
        """Change single fields of the default."""
        with self._lock:
            self._default = replace(self._default, **changes)

    def clear(self, *, default: bool) -> None:
        """Empty the queue and, with `default`, forget the default as well."""
        with self._lock:
            self._queue.clear()
            if default:
                self._default = Behaviour()

    @property
    def pending(self) -> int:
        """Queued behaviours not used yet."""
        with self._lock:
            return len(self._queue)
