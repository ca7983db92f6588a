"""A batch from end to end: its parts put together, and its two forms, an iterator and a list."""

import logging
import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

from flyllm._batch.crew import Crew
from flyllm._batch.display import display_for
from flyllm._batch.engine import Course, Engine
from flyllm._batch.executors import Executors, RemoteAnswer
from flyllm._batch.inbox import Inbox
from flyllm._batch.journal import Journal
from flyllm._batch.options import WINDOW, BatchOptions
from flyllm._batch.progress import Progress
from flyllm._batch.recorder import Recorder
from flyllm._batch.stops import Stops
from flyllm._batch.threads import Answer, Threads
from flyllm._batch.watch import Watch
from flyllm._clock import Clock
from flyllm._resilience.deadline import Deadline
from flyllm.errors import BatchStoppedError, DeadlineExceededError, LLMError
from flyllm.observability.budget import Budget
from flyllm.types import LLMResponse

logger = logging.getLogger("flyllm.batch")

MAX_WORKERS = 256
"""Threads of one batch at most, where the caller does not say."""

OnResult = Callable[[int, LLMResponse], None]
"""Called with a request's index and its response, in the caller's thread, as responses come."""


@dataclass(frozen=True, slots=True)
class BatchManager:
    """What a batch needs of its manager.

    Attributes:
        answer: makes the function that answers a request within the batch's deadline.
        answerer: the same for other processes.
        workers: threads where the caller does not say.
        cooling: names of the instances that take nothing now.
    """

    clock: Clock
    answer: Callable[[Deadline], Answer]
    answerer: RemoteAnswer
    workers: int
    cooling: Callable[[], Sequence[str]]


def run_batch(
    manager: BatchManager, requests: Iterable[Any], options: BatchOptions, total: int | None = None
) -> Iterator[LLMResponse]:
    """Return an iterator over the responses, which begins when the first one is asked for.

    What breaks it off, such as Ctrl-C, carries as `flyllm_results` what had come and was not handed over.
    """
    rest: list[LLMResponse] = []
    try:
        yield from _run(manager, requests, options, total, rest)
    except BaseException as exc:
        exc.flyllm_results = rest  # type: ignore[attr-defined]
        raise


def _run(
    manager: BatchManager, requests: Iterable[Any], options: BatchOptions, total: int | None, rest: list[LLMResponse]
) -> Generator[LLMResponse]:
    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open(options.journal)) if options.journal is not None else None
        deadline = Deadline.after(manager.clock, options.deadline)
        workers = options.max_workers or manager.workers
        done = Inbox() if journal is None else Recorder(journal)
        course = Course(
            window=options.window or max(WINDOW, 4 * workers),
            ordered=options.ordered,
            stops=Stops(deadline, options.max_failures, options.budget or Budget()),
            watch=Watch(Progress(manager.clock, total), display_for(options.progress), manager.cooling),
            journal=journal,
            rest=rest,
        )
        yield from Engine(iter(requests), _crew(manager, options, deadline, workers, done), course).responses()


def _crew(manager: BatchManager, options: BatchOptions, deadline: Deadline, workers: int, done: Inbox) -> Crew:
    if options.executor is None:
        return Threads(manager.answer(deadline), workers, done)
    until = None if options.deadline is None else manager.clock.wall() + options.deadline
    return Executors(options.executor, manager.answerer, until, done)


def collect_batch(
    manager: BatchManager, requests: Sequence[Any], options: BatchOptions, on_result: OnResult | None
) -> list[LLMResponse]:
    """Return all responses in the order of the requests; those of requests never sent carry the error that says why.

    An exception in `on_result` is logged, the first with its traceback, and costs no response. Ctrl-C and `SystemExit`
    carry what was finished as `flyllm_results`, None in the other places.
    """
    results: list[LLMResponse | None] = [None] * len(requests)
    rest: list[LLMResponse] = []
    report = _Report(on_result)
    try:
        with closing(_run(manager, requests, options, len(requests), rest)) as responses:
            for response in responses:
                results[response.index or 0] = response
                report(response.index or 0, response)
    except (BatchStoppedError, DeadlineExceededError) as stopped:
        return [result or _unsent(index, requests[index], stopped) for index, result in enumerate(results)]
    except BaseException as exc:
        for response in rest:
            results[response.index or 0] = response
        exc.flyllm_results = results  # type: ignore[attr-defined]
        raise
    finally:
        report.close(len(requests))
    return [result for result in results if result is not None]


def _unsent(index: int, request: Any, stopped: LLMError) -> LLMResponse:
    return LLMResponse(error=stopped, index=index, custom_id=getattr(request, "custom_id", None))


class _Report:
    """Calls `on_result`, and contains what it raises."""

    def __init__(self, on_result: OnResult | None) -> None:
        self._on_result, self._failures = on_result, 0

    def __call__(self, index: int, response: LLMResponse) -> None:
        if self._on_result is None:
            return
        try:
            self._on_result(index, response)
        except Exception:
            self._failures += 1
            if self._failures == 1:
                logger.exception("on_result failed for request %d; the batch goes on", index)

    def close(self, total: int) -> None:
        if self._failures > 1:
            logger.error("on_result failed for %d of %d requests", self._failures, total)


def default_workers(ceilings: Sequence[float]) -> int:
    """Return the number of threads that can be busy at once: the sum of the instances' ceilings, capped."""
    return int(max(1, min(MAX_WORKERS, math.fsum(ceilings))))
