"""Rules of a batch that returns a list."""

import logging
import threading

import pytest

from flyllm._batch.batch import MAX_WORKERS, default_workers
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse
from tests.unit.batch.batches import HANG, collected


def test_results_have_the_order_of_the_requests() -> None:
    """Whoever is done first, the list is in the order of the input."""
    gates = [threading.Event() for _ in range(4)]

    def answer(request: GenerationRequest) -> LLMResponse:
        n = int(request.prompt)
        if n < 3:
            assert gates[n + 1].wait(HANG)  # the last one finishes first
        gates[n].set()
        return LLMResponse(request.prompt)

    results = collected(map(str, range(4)), answer)
    assert [(result.content, result.index) for result in results] == [("0", 0), ("1", 1), ("2", 2), ("3", 3)]


def test_nothing_to_do_is_an_empty_list() -> None:
    """An empty batch starts no thread."""
    before = threading.active_count()
    assert collected([]) == []
    assert threading.active_count() == before


@pytest.mark.parametrize("workers", [1, 2, 100])
def test_any_number_of_workers_gets_it_done(workers: int) -> None:
    """More than requests is as many as requests."""
    assert len(collected(map(str, range(5)), max_workers=workers)) == 5


def test_a_request_that_is_none_is_a_failure_in_its_place() -> None:
    """What is no request costs the others nothing."""
    results = collected(["a", 7, GenerationRequest("b", custom_id="x")])  # type: ignore[list-item]
    assert [result.success for result in results] == [True, False, True]
    assert "not int" in str(results[1].error)
    assert [result.custom_id for result in results] == [None, None, "x"]


def test_no_more_threads_than_workers() -> None:
    """At no time do more requests run than there are workers."""
    lock, running, peak = threading.Lock(), [0], [0]

    def answer(_: GenerationRequest) -> LLMResponse:
        with lock:
            running[0] += 1
            peak[0] = max(peak[0], running[0])
        threading.Event().wait(0.002)
        with lock:
            running[0] -= 1
        return LLMResponse()

    collected(["x"] * 20, answer, max_workers=3)
    assert peak[0] <= 3


def test_no_more_threads_than_are_needed() -> None:
    """Threads are started as requests come; one that is idle takes the next."""
    seen: set[str] = set()

    def answer(_: GenerationRequest) -> LLMResponse:
        seen.add(threading.current_thread().name)
        return LLMResponse()

    collected(["x", "y"], answer, max_workers=100)
    assert len(seen) <= 2


def test_on_result_is_called_once_per_response_in_the_callers_thread() -> None:
    """Progress bars and databases are used from the thread that called."""
    calls: list[tuple[int, str, threading.Thread]] = []
    collected(
        map(str, range(10)),
        on_result=lambda index, response: calls.append((index, response.content, threading.current_thread())),
    )
    assert sorted((index, content) for index, content, _ in calls) == [(n, str(n)) for n in range(10)]
    assert {thread for _, _, thread in calls} == {threading.current_thread()}


def test_on_result_comes_as_responses_come() -> None:
    """The first response is handed out while others still run."""
    first_seen = threading.Event()
    order: list[str] = []

    def answer(request: GenerationRequest) -> LLMResponse:
        if request.prompt == "slow":
            assert first_seen.wait(HANG)
        return LLMResponse(request.prompt)

    def on_result(index: int, response: LLMResponse) -> None:
        order.append(response.content)
        first_seen.set()

    collected(["slow", "quick"], answer, on_result=on_result)
    assert order == ["quick", "slow"]


def test_an_on_result_that_raises_costs_no_response(caplog: pytest.LogCaptureFixture) -> None:
    """A broken callback is logged, once with its traceback, and all responses come back."""

    def broken(index: int, response: LLMResponse) -> None:
        raise ZeroDivisionError("bar")

    with caplog.at_level(logging.ERROR, "flyllm.batch"):
        results = collected(map(str, range(5)), on_result=broken)
    assert [result.content for result in results] == ["0", "1", "2", "3", "4"]
    assert len(caplog.records) == 2
    assert caplog.records[0].exc_info is not None
    assert caplog.records[1].getMessage() == "on_result failed for 5 of 5 requests"


def test_an_interrupt_returns_at_once_and_drops_what_has_not_begun() -> None:
    """Ctrl-C in the caller's thread: the rest is not run, and the call does not wait for what is under way."""
    begun: list[str] = []
    release = threading.Event()

    def answer(request: GenerationRequest) -> LLMResponse:
        begun.append(request.prompt)
        if request.prompt != "0":
            release.wait(HANG)
        return LLMResponse(request.prompt)

    def interrupt(index: int, response: LLMResponse) -> None:
        raise KeyboardInterrupt

    threads = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt) as caught:
        collected(map(str, range(50)), answer, on_result=interrupt, max_workers=2)
    assert not release.is_set()
    assert len(begun) <= 4
    finished = caught.value.flyllm_results  # type: ignore[attr-defined]
    assert len(finished) == 50
    assert finished[0].content == "0"
    release.set()
    for thread in set(threading.enumerate()) - threads:
        thread.join(HANG)
    assert len(begun) <= 4


def test_an_interrupt_keeps_what_came_and_was_not_handed_over() -> None:
    """Responses that came while the caller was at another one are among what was finished."""
    both = threading.Barrier(2)

    def answer(request: GenerationRequest) -> LLMResponse:
        both.wait(HANG)
        return LLMResponse(request.prompt)

    def interrupt(index: int, response: LLMResponse) -> None:
        threading.Event().wait(0.05)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        collected(["a", "b"], answer, on_result=interrupt, max_workers=2)
    finished = caught.value.flyllm_results  # type: ignore[attr-defined]
    assert sorted(response.content for response in finished if response) == ["a", "b"]


def test_no_thread_is_left_after_a_batch() -> None:
    """Worker threads end with their batch."""
    threads = set(threading.enumerate())
    collected(map(str, range(20)))
    for thread in set(threading.enumerate()) - threads:
        thread.join(HANG)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("ceilings", "workers"),
    [([], 1), ([1], 1), ([64, 64], 128), ([64] * 10, MAX_WORKERS), ([float("inf")], MAX_WORKERS)],
)
def test_the_default_is_what_the_instances_can_bear(ceilings: list[float], workers: int) -> None:
    """As many threads as requests can be in flight, within reason."""
    assert default_workers(ceilings) == workers


def test_without_any_thread_the_caller_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread can be had, as while the interpreter exits: all requests are answered all the same."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert [result.content for result in collected(map(str, range(20)))] == [str(n) for n in range(20)]
