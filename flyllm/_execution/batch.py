"""Many requests at once: a thread pool over plain calls, results in the order of the requests."""

import logging
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue

from flyllm._clock import SLICE
from flyllm.types import LLMResponse

logger = logging.getLogger("flyllm.batch")

MAX_WORKERS = 256
"""Threads of one batch at most, where the caller does not say."""

OnResult = Callable[[int, LLMResponse], None]
"""Called with a request's index and its response, in the caller's thread, as responses come."""


def run_batch(
    tasks: Sequence[Callable[[], LLMResponse]], workers: int, on_result: OnResult | None
) -> list[LLMResponse]:
    """Run `tasks`, which raise nothing, on at most `workers` threads; return their results in order.

    An exception in `on_result` is logged, the first with its traceback, and costs no result. Ctrl-C drops what has
    not begun; what has is finished by its own timeouts.
    """
    if not tasks:
        return []
    executor = ThreadPoolExecutor(max(1, min(workers, len(tasks))), thread_name_prefix="flyllm-batch")
    try:
        futures = [executor.submit(task) for task in tasks]
        _collect(futures, on_result)
        return [future.result() for future in futures]
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _collect(futures: list[Future[LLMResponse]], on_result: OnResult | None) -> None:
    done: SimpleQueue[int] = SimpleQueue()
    for index, future in enumerate(futures):
        future.add_done_callback(lambda _, index=index: done.put(index))  # type: ignore[misc]
    failures = 0
    for _ in futures:
        index = _next(done)
        if on_result is None:
            continue
        try:
            on_result(index, futures[index].result())
        except Exception:
            failures += 1
            if failures == 1:
                logger.exception("on_result failed for request %d; the batch goes on", index)
    if failures > 1:
        logger.error("on_result failed for %d of %d requests", failures, len(futures))


def _next(done: "SimpleQueue[int]") -> int:
    while True:
        try:
            return done.get(timeout=SLICE)
        except Empty:
            continue


def default_workers(ceilings: Sequence[float]) -> int:
    """Return the number of threads that can be busy at once: the sum of the instances' ceilings, capped."""
    total = math.fsum(ceilings)
    return int(max(1, min(MAX_WORKERS, total)))
