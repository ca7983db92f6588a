"""Rules of batches."""

import logging
import threading

import pytest

from flyllm._execution.batch import MAX_WORKERS, default_workers, run_batch
from flyllm.types import LLMResponse


def answer(text: object) -> "object":
    return lambda: LLMResponse(str(text))


def test_results_have_the_order_of_the_requests() -> None:
    """Whoever is done first, the list is in the order of the input."""
    gates = [threading.Event() for _ in range(4)]

    def task(n: int) -> LLMResponse:
        if n < 3:
            assert gates[n + 1].wait(20)  # the last one finishes first
        gates[n].set()
        return LLMResponse(str(n))

    results = run_batch([lambda n=n: task(n) for n in range(4)], 4, None)  # type: ignore[misc]
    assert [result.content for result in results] == ["0", "1", "2", "3"]


def test_nothing_to_do_is_an_empty_list() -> None:
    """An empty batch starts no thread."""
    before = set(threading.enumerate())
    assert run_batch([], 8, None) == []
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("workers", [-1, 0, 1, 2, 100])
def test_any_number_of_workers_gets_it_done(workers: int) -> None:
    """Fewer than one is one, more than requests is as many as requests."""
    assert len(run_batch([answer(n) for n in range(5)], workers, None)) == 5  # type: ignore[misc]


def test_no_more_threads_than_workers() -> None:
    """At no time do more requests run than there are workers."""
    lock, running, peak = threading.Lock(), [0], [0]

    def task() -> LLMResponse:
        with lock:
            running[0] += 1
            peak[0] = max(peak[0], running[0])
        threading.Event().wait(0.002)
        with lock:
            running[0] -= 1
        return LLMResponse()

    run_batch([task] * 20, 3, None)
    assert peak[0] <= 3


def test_on_result_is_called_once_per_response_in_the_callers_thread() -> None:
    """Progress bars and databases are used from the thread that called."""
    calls: list[tuple[int, str, threading.Thread]] = []
    tasks = [answer(n) for n in range(10)]
    run_batch(tasks, 4, lambda index, response: calls.append((index, response.content, threading.current_thread())))  # type: ignore[arg-type]
    assert sorted((index, content) for index, content, _ in calls) == [(n, str(n)) for n in range(10)]
    assert {thread for _, _, thread in calls} == {threading.current_thread()}


def test_on_result_comes_as_responses_come() -> None:
    """The first response is handed out while others still run."""
    first_seen = threading.Event()

    def slow() -> LLMResponse:
        assert first_seen.wait(20)
        return LLMResponse("slow")

    order: list[str] = []

    def on_result(index: int, response: LLMResponse) -> None:
        order.append(response.content)
        first_seen.set()

    run_batch([slow, answer("quick")], 2, on_result)  # type: ignore[list-item]
    assert order == ["quick", "slow"]


def test_an_on_result_that_raises_costs_no_response(caplog: pytest.LogCaptureFixture) -> None:
    """A broken progress bar is logged, once with its traceback, and all responses come back."""

    def broken(index: int, response: LLMResponse) -> None:
        raise ZeroDivisionError("bar")

    with caplog.at_level(logging.ERROR, "flyllm.batch"):
        results = run_batch([answer(n) for n in range(5)], 2, broken)  # type: ignore[misc]
    assert [result.content for result in results] == ["0", "1", "2", "3", "4"]
    assert len(caplog.records) == 2
    assert caplog.records[0].exc_info is not None
    assert caplog.records[1].getMessage() == "on_result failed for 5 of 5 requests"


def test_an_interrupt_returns_at_once_and_drops_what_has_not_begun() -> None:
    """Ctrl-C in the caller's thread: the rest is not run, and the call does not wait for what is under way."""
    begun, release = [], threading.Event()

    def task(n: int) -> LLMResponse:
        begun.append(n)
        if n:
            release.wait(20)
        return LLMResponse()

    def interrupt(index: int, response: LLMResponse) -> None:
        raise KeyboardInterrupt

    threads = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        run_batch([lambda n=n: task(n) for n in range(50)], 2, interrupt)  # type: ignore[misc]
    assert not release.is_set()
    assert len(begun) <= 4
    release.set()
    for thread in set(threading.enumerate()) - threads:
        thread.join(20)
    assert len(begun) <= 4


def test_no_thread_is_left_after_a_batch() -> None:
    """Worker threads end with their batch."""
    threads = set(threading.enumerate())
    run_batch([answer(n) for n in range(20)], 5, None)  # type: ignore[misc]
    for thread in set(threading.enumerate()) - threads:
        thread.join(20)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("ceilings", "workers"),
    [([], 1), ([1], 1), ([64, 64], 128), ([64] * 10, MAX_WORKERS), ([float("inf")], MAX_WORKERS)],
)
def test_the_default_is_what_the_instances_can_bear(ceilings: list[float], workers: int) -> None:
    """As many threads as requests can be in flight, within reason."""
    assert default_workers(ceilings) == workers
