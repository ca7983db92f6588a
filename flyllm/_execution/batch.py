"""Many requests at once: worker threads over plain calls, results in the order of the requests."""

import contextlib
import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import Empty, SimpleQueue

from flyllm._clock import SLICE
from flyllm._scope import CalledOff, Scope
from flyllm.errors import LLMError
from flyllm.types import LLMResponse

logger = logging.getLogger("flyllm.batch")

MAX_WORKERS = 256
"""Threads of one batch at most, where the caller does not say."""

PARTING = 0.5
"""Seconds that an interrupted batch waits for its threads, which have been cut off."""

OnResult = Callable[[int, LLMResponse], None]
"""Called with a request's index and its response, in the caller's thread, as responses come."""

Task = Callable[[], LLMResponse]


def run_batch(tasks: Sequence[Task], workers: int, on_result: OnResult | None) -> list[LLMResponse]:
    """Run `tasks`, which raise nothing, on at most `workers` threads; return their results in order.

    An exception in `on_result` is logged, the first with its traceback, and costs no result. Ctrl-C and `SystemExit`
    drop what has not begun, cut what has, and carry what was finished as `flyllm_results`, None in the other places.
    """
    if not tasks:
        return []
    batch = _Batch(tasks, ThreadPoolExecutor(max(1, min(workers, len(tasks))), thread_name_prefix="flyllm-batch"))
    try:
        batch.start(min(workers, len(tasks)))
        batch.collect(on_result)
    except BaseException as exc:
        batch.call_off()
        exc.flyllm_results = list(batch.results)  # type: ignore[attr-defined]
        with contextlib.suppress(KeyboardInterrupt):  # the first one is on its way
            batch.part()
        raise
    return batch.finish()


class _Batch:
    """Tasks and what became of them. `start`, `collect` and `finish` are the caller's; the workers run `_work`."""

    def __init__(self, tasks: Sequence[Task], executor: ThreadPoolExecutor) -> None:
        self.results: list[LLMResponse | None] = [None] * len(tasks)
        self._tasks, self._executor = tasks, executor
        self._todo = deque(range(len(tasks)))
        self._done: SimpleQueue[int] = SimpleQueue()
        self._scope = Scope()
        self._workers: list[Future[None]] = []
        self._exit_watched = False

    def start(self, workers: int) -> None:
        """Start `workers` threads, or as many as the system gives; without any the caller's thread does the work."""
        try:
            for _ in range(workers):
                self._workers.append(self._executor.submit(self._work))
        except RuntimeError as exc:  # no more threads, or the interpreter is about to exit
            logger.warning("the batch runs on %d threads instead of %d: %s", len(self._workers) or 1, workers, exc)
            if not self._workers:
                self._work()
        else:
            self._exit_watched = threading.current_thread().daemon

    def collect(self, on_result: OnResult | None) -> None:
        """Wait for all results and hand them over as they come."""
        failures = 0
        for _ in self._tasks:
            index = self._next()
            response = self.results[index] if index is not None else None
            if index is None or response is None:
                return
            if on_result is None:
                continue
            try:
                on_result(index, response)
            except Exception:
                failures += 1
                if failures == 1:
                    logger.exception("on_result failed for request %d; the batch goes on", index)
        if failures > 1:
            logger.error("on_result failed for %d of %d requests", failures, len(self._tasks))

    def call_off(self) -> None:
        """Drop what has not begun and cut what has."""
        self._todo.clear()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._scope.call_off()

    def part(self) -> None:
        """Give the threads a moment to end."""
        wait(self._workers, PARTING)

    def finish(self) -> list[LLMResponse]:
        """End the threads and return the results."""
        self._executor.shutdown()
        return [result or _lost("its thread ended") for result in self.results]

    def _work(self) -> None:
        with self._scope:
            while self._todo:
                try:
                    index = self._todo.popleft()
                except IndexError:
                    return  # another thread was faster
                self.results[index] = _outcome(self._tasks[index])
                self._done.put(index)

    def _next(self) -> int | None:
        """Return the index of the next result; None if no thread is left to bring it."""
        while True:
            try:
                return self._done.get(timeout=SLICE)
            except Empty:
                if all(worker.done() for worker in self._workers) and self._done.empty():
                    return None
                if self._exit_watched and self._exiting():
                    raise SystemExit("the interpreter exits") from None

    def _exiting(self) -> bool:
        """Whether the interpreter has begun to exit.

        It would first join the workers, although the batch was begun in a daemon thread, which shall not hold it up. An
        executor that takes no more work is the one public sign of it; `atexit` comes after the joining (cpython#80961).
        """
        try:
            self._executor.submit(_nothing)
        except RuntimeError:
            return True
        return False


def _outcome(task: Task) -> LLMResponse:
    try:
        return task()
    except CalledOff:
        raise
    except BaseException as exc:  # no memory, or an observer that calls sys.exit()
        return _lost(type(exc).__name__)


def _lost(why: str) -> LLMResponse:
    return LLMResponse(error=LLMError(f"the request was lost: {why}"))


def _nothing() -> None: ...


def default_workers(ceilings: Sequence[float]) -> int:
    """Return the number of threads that can be busy at once: the sum of the instances' ceilings, capped."""
    total = math.fsum(ceilings)
    return int(max(1, min(MAX_WORKERS, total)))
