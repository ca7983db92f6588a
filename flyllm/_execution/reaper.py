"""A thread that does what a finaliser must not: release leases and connections of dropped streams.

A finaliser may run inside any lock, the pool's and the HTTP library's among them, so it only puts work in a queue
whose `put` is reentrant.
"""

import logging
import os
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue

logger = logging.getLogger("flyllm.streams")


class Reaper:
    """Runs callables soon, on one daemon thread that `start` begins when it is first needed in a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _pid and _queue
        self._pid: int | None = None
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def start(self) -> None:
        """Begin the thread unless it runs; in a forked child it begins anew."""
        if self._pid == os.getpid():
            return
        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._queue = os.getpid(), SimpleQueue()
                threading.Thread(target=_work, args=(self._queue,), name="flyllm-reaper", daemon=True).start()
                weakref.finalize(self, self._queue.put, None)  # a manager dropped without close() leaves no thread

    def soon(self, work: Callable[[], None]) -> None:
        """Have `work` done; may be called from a finaliser."""
        self._queue.put(work)

    def stop(self) -> None:
        """End the thread after the work that is queued."""
        with self._lock:
            self._pid = None
            self._queue.put(None)


def _work(queue: "SimpleQueue[Callable[[], None] | None]") -> None:
    while (work := queue.get()) is not None:
        try:
            work()
        except Exception:
            logger.exception("a dropped stream could not be released")
