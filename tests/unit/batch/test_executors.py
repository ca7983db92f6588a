"""Rules of batches on an executor of the caller's."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse
from tests.unit.batch.batches import HANG, collected, echo, iterated


class Elsewhere(Executor):
    """Runs nothing by itself: a test completes its futures."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        self.futures.append(future)
        return future


def test_an_executor_does_the_work_and_stays_its_owners() -> None:
    """Results are in order; the executor is open afterwards."""
    with ThreadPoolExecutor(3) as executor:
        assert [response.content for response in collected(map(str, range(20)), executor=executor)] == [
            str(n) for n in range(20)
        ]
        assert executor.submit(len, "abc").result() == 3


def test_an_iterator_hands_over_no_more_than_its_window() -> None:
    """An executor with a queue of its own is not flooded."""
    lock, under_way, peak = threading.Lock(), [0], [0]

    def answer(request: GenerationRequest) -> LLMResponse:
        with lock:
            under_way[0] += 1
            peak[0] = max(peak[0], under_way[0])
        threading.Event().wait(0.001)
        with lock:
            under_way[0] -= 1
        return echo(request)

    with ThreadPoolExecutor(16) as executor:
        assert len(list(iterated(map(str, range(50)), answer, executor=executor, window=4))) == 50
    assert peak[0] <= 4


def test_what_an_executor_cannot_do_is_a_failure_of_the_request() -> None:
    """A process that dies takes its requests with it, and no others."""

    class Dying(Elsewhere):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
            if len(self.futures) == 2:
                raise RuntimeError("cannot schedule new futures after shutdown")
            future = super().submit(fn, *args, **kwargs)
            if len(self.futures) == 1:
                future.set_exception(MemoryError("gone"))
            else:
                future.set_result(LLMResponse("ok"))
            return future

    results = collected(["a", "b", "c"], executor=Dying(), on_result=None)
    assert [response.content for response in results] == ["", "ok", ""]
    assert "MemoryError: gone" in str(results[0].error)
    assert "after shutdown" in str(results[2].error)


def test_leaving_a_batch_cancels_what_has_not_begun() -> None:
    executor = Elsewhere()

    def complete_first() -> None:
        while not executor.futures:
            threading.Event().wait(0.001)
        executor.futures[0].set_result(LLMResponse("ok"))

    thread = threading.Thread(target=complete_first)
    thread.start()
    for response in iterated(map(str, range(10)), executor=executor, window=10):
        assert response.content == "ok"
        break
    thread.join(HANG)
    assert all(future.cancelled() for future in executor.futures[1:])


def test_a_manager_that_cannot_travel_is_said_at_once() -> None:
    """Before anything is sent, and not once per request."""

    def unpicklable(request: GenerationRequest) -> LLMResponse:
        return echo(request)

    executor = Elsewhere()
    with pytest.raises((AttributeError, TypeError)):
        next(iterated(["a"], unpicklable, executor=executor))
    assert not executor.futures
