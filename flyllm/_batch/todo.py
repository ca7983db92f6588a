"""What no thread of a batch has begun yet, and which thread may begin what.

A task whose instances are all busy or limited must not hold up the others: half of the threads may wait for places.
While so many do, the further requests of a task for which one waits are left for later, and a thread takes the next
request of another task.
"""

import threading
from collections import Counter, deque
from types import TracebackType

from flyllm._batch.item import Item


class Todo:
    """A queue of items per task, for so many `threads`, which take the oldest one that may be begun."""

    def __init__(self, threads: int) -> None:
        self._most_waiting = threads // 2
        self._change = threading.Condition()  # guards all below; nothing is called under it
        self._queues: dict[str | None, deque[Item]] = {}
        self._waiting: Counter[str | None] = Counter()
        self._idle = 0
        self._closed = False

    def put(self, item: Item) -> bool:
        """Add an item; return whether a thread stands idle that will take it."""
        with self._change:
            self._queues.setdefault(item.request.task, deque()).append(item)
            self._change.notify()
            return self._idle >= sum(map(len, self._queues.values()))

    def take(self) -> Item | None:
        """Return an item to begin, waiting for one; None once the queue is closed and empty."""
        with self._change:
            while True:
                queues = [queue for task, queue in self._queues.items() if queue and self._may_begin(task)]
                if queues:
                    return min(queues, key=lambda queue: queue[0].index).popleft()
                if self._closed and not any(self._queues.values()):
                    return None
                self._idle += 1
                self._change.wait()
                self._idle -= 1

    def _may_begin(self, task: str | None) -> bool:
        return not self._waiting[task] or self._waiting.total() < self._most_waiting

    def drop(self) -> list[Item]:
        """Return all items that no thread has taken, and forget them."""
        with self._change:
            left = [item for queue in self._queues.values() for item in queue]
            self._queues.clear()
            return left

    def close(self) -> None:
        """Let the threads go when all items are taken."""
        with self._change:
            self._closed = True
            self._change.notify_all()

    def waits(self, task: str | None) -> "Waits":
        """Return a context in which a thread waits for a place of `task`."""
        return Waits(self, task)

    def wait_more(self, task: str | None, threads: int) -> None:
        """Count `threads` more, or fewer, that wait for a place of `task`."""
        with self._change:
            self._waiting[task] += threads
            if threads < 0:
                self._change.notify()


class Waits:
    """The time that a thread waits for a place."""

    __slots__ = ("_task", "_todo")

    def __init__(self, todo: Todo, task: str | None) -> None:
        self._todo, self._task = todo, task

    def __enter__(self) -> None:
        self._todo.wait_more(self._task, 1)

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._todo.wait_more(self._task, -1)
