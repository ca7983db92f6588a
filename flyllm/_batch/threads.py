"""A batch's own threads: started as they are needed, gone when it ends."""

import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from contextvars import copy_context

from flyllm._batch.inbox import Inbox
from flyllm._batch.item import Item
from flyllm._batch.todo import Todo
from flyllm._scope import CalledOff, Scope
from flyllm.errors import LLMError
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse

logger = logging.getLogger("flyllm.batch")

PARTING = 0.5
"""Seconds that an interrupted batch waits for its threads, which have been cut off."""

Answer = Callable[[GenerationRequest, AbstractContextManager[None]], LLMResponse]
"""Answers one request, and is within the context while that waits for a place. Raises nothing but `CalledOff`."""


class Threads:
    """A `Crew` of at most `most` threads of this process."""

    def __init__(self, answer: Answer, most: int, done: Inbox) -> None:
        self.done = done
        self._answer, self._most = answer, most
        self._executor = ThreadPoolExecutor(most, thread_name_prefix="flyllm-batch")
        self._todo = Todo(most)
        self._scope = Scope()
        self._threads: list[Future[None]] = []
        self._exit_watched = threading.current_thread().daemon

    def submit(self, item: Item) -> None:
        """Have `item` worked on, by one thread more unless one stands idle; where there can be none, do it here."""
        if self._most == 0:
            self._do(item)
        elif not self._todo.put(item) and len(self._threads) < self._most:
            self._start()

    def _start(self) -> None:
        try:
            # In the context of the batch's caller, such as a trace's current span.
            self._threads.append(self._executor.submit(copy_context().run, self._work))
        except RuntimeError as exc:  # no more threads, or the interpreter is about to exit
            logger.warning("the batch runs on %d threads instead of %d: %s", len(self._threads) or 1, self._most, exc)
            self._most, self._exit_watched = len(self._threads), False
            if not self._threads and (item := self._todo.take()) is not None:
                self._do(item)

    def drop(self) -> list[Item]:
        """Return what no thread has begun; it will not be."""
        return self._todo.drop()

    def alive(self) -> bool:
        """Whether a thread is left, or none is needed; raise `SystemExit` where the interpreter is about to exit."""
        if self._exit_watched and self._exiting():
            raise SystemExit("the interpreter exits")
        return not all(thread.done() for thread in self._threads)

    def call_off(self) -> None:
        """Drop what has not begun, cut what has, and give the threads a moment to end."""
        self._todo.drop()
        self._todo.close()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._scope.call_off()
        with contextlib.suppress(KeyboardInterrupt):  # the first one is on its way
            wait(self._threads, PARTING)

    def finish(self) -> None:
        """End the threads."""
        self._todo.close()
        self._executor.shutdown()

    def _work(self) -> None:
        with self._scope:
            while (item := self._todo.take()) is not None:
                self._do(item)

    def _do(self, item: Item) -> None:
        try:
            response = self._answer(item.request, self._todo.waits(item.request.task))
        except CalledOff:
            raise
        except BaseException as exc:  # no memory, or an observer that calls sys.exit()
            response = LLMResponse(error=LLMError(f"the request was lost: {type(exc).__name__}"))
        self.done.put((item, response))  # what it raises ends this thread

    def _exiting(self) -> bool:
        """Whether the interpreter has begun to exit.

        It would first join the threads, although the batch was begun in a daemon thread, which shall not hold it up. An
        executor that takes no more work is the one public sign of it; `atexit` comes after the joining (cpython#80961).
        """
        try:
            self._executor.submit(_nothing)
        except RuntimeError:
            return True
        return False


def _nothing() -> None: ...
