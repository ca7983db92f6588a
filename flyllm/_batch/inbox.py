"""Where a crew puts what is finished, from any thread, and the batch takes it."""

from queue import SimpleQueue

from flyllm._batch.item import Done


class Inbox:
    """Responses with their items, in the order in which they came."""

    def __init__(self) -> None:
        self._came: SimpleQueue[tuple[Done, BaseException | None]] = SimpleQueue()
        self._failure: BaseException | None = None  # of something that was taken
        self.empty = self._came.empty

    def put(self, done: Done) -> None:
        """Put what is finished; where that raises, who brought it is to begin nothing more."""
        self._came.put((done, None))

    def get(self, timeout: float | None = None) -> Done:
        """Take what came next. Raises `queue.Empty` after `timeout` seconds, None means never."""
        done, failure = self._came.get(timeout=timeout)
        if failure is not None:
            self._failure = failure
        return done

    def check(self) -> None:
        """Raise what was raised when something was put that has been taken since."""
        if self._failure is not None:
            raise self._failure
