"""Calls, streams and batches under real threads: one result each, nothing left in flight."""

import gc
import random
import threading
from collections import Counter
from typing import Any

import pytest

from flyllm._clock import SystemClock
from flyllm._execution.loop import MAX_HOPS
from flyllm.errors import (
    AuthenticationError,
    InvalidRequestError,
    LLMError,
    ManagerClosedError,
    RateLimitError,
    RequestError,
    ServerError,
    StreamInterruptedError,
)
from flyllm.providers.base import Delta, ProviderRequest
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse, TokenUsage
from tests.concurrency.threads import HANG, together, until
from tests.unit.batch.batches import collected
from tests.unit.fakes import Core, FakeProvider, FakeStream, completion, core, instance


class Chaos:
    """Steps of an adapter that fails in every way at random, and otherwise echoes the prompt."""

    def __init__(self, seed: int, rate: float) -> None:
        self._random, self._rate, self._lock = random.Random(seed), rate, threading.Lock()

    def __call__(self, request: ProviderRequest) -> Any:
        with self._lock:
            failed, kind = self._random.random() < self._rate, self._random.randrange(5)
        if failed:
            return (
                ServerError("x"),
                RateLimitError("x", retry_after=0.001),
                RequestError("x"),
                KeyError("bug"),
                InvalidRequestError("x"),
            )[kind]
        return completion(f"echo {request.messages[-1]['content']}", TokenUsage(1, 1, 2))


def running(*adapters: Any, ceiling: int = 4, **fields: Any) -> Core:
    places = (instance(n, adapter, max_concurrency=ceiling, provider=f"p{n}") for n, adapter in enumerate(adapters))
    return core(*places, clock=SystemClock(), strategy="lru", **fields)


class FastClock(SystemClock):
    """The real clock, whose jitter is a hundredth, so that a thousand pauses take no time."""

    def uniform(self, low: float, high: float) -> float:
        return super().uniform(low, high) if high > 1 else super().uniform(low, high) / 100


class Hasty(SystemClock):
    """A clock on which all random times, jitter and time in ejection alike, are a hundredth."""

    def uniform(self, low: float, high: float) -> float:
        return super().uniform(low, high) / 100


def test_every_call_gets_its_own_result_and_nothing_stays_in_flight() -> None:
    """Under all kinds of failure, bugs included: one response per request, its own, ledgers and sums exact."""
    places = [instance(n, FakeProvider(otherwise=Chaos(n, 0.3)), max_concurrency=3, provider=f"p{n}") for n in range(3)]
    under_test = core(*places, clock=FastClock(), strategy="lru", max_retries=3)
    results: dict[str, LLMResponse] = {}

    def work(number: int) -> None:
        for n in range(12):
            prompt = f"{number}/{n}"
            results[prompt] = under_test.run(prompt)

    together([lambda number=number: work(number) for number in range(16)])  # type: ignore[misc]
    assert len(results) == 16 * 12
    for prompt, response in results.items():
        assert response.content == (f"echo {prompt}" if response.success else "")
        refused = sum(attempt.outcome == "RateLimitError" for attempt in response.attempts)
        assert 1 <= len(response.attempts) - refused <= 4
        assert refused <= MAX_HOPS + 1
        assert [attempt.number for attempt in response.attempts] == list(range(1, len(response.attempts) + 1))
    assert under_test.pool.in_flight() == 0
    wire = sum(len(place.adapter.requests) for place in places)  # type: ignore[attr-defined]
    assert wire == sum(len(response.attempts) for response in results.values()) == len(under_test.recorder.attempts)
    assert len(under_test.recorder.requests) == len(results)
    answers = sum(response.success for response in results.values())
    assert under_test.usage.total().total_tokens == 2 * answers


def test_a_batch_over_threads_keeps_order_and_loses_nothing() -> None:
    """Three hundred requests on thirty workers over four places come back in order."""
    under_test = running(FakeProvider(otherwise=Chaos(1, 0.0)), FakeProvider(otherwise=Chaos(2, 0.0)), ceiling=2)
    results = collected(map(str, range(300)), under_test.run, max_workers=30)
    assert [result.content for result in results] == [f"echo {n}" for n in range(300)]
    assert under_test.pool.in_flight() == 0


def test_closing_under_load_ends_every_request() -> None:
    """Each request under way when the manager closes gets its answer or ManagerClosedError, at once."""
    gate = threading.Event()

    def slow(request: ProviderRequest) -> Any:
        assert gate.wait(HANG)
        return RequestError("the connection was closed")

    under_test = running(FakeProvider(otherwise=slow), ceiling=2)
    outcomes: list[str] = []

    def work() -> None:
        outcomes.append(type(under_test.run().error).__name__)

    def close() -> None:
        until(lambda: len(under_test.pool._scheduler.waiters) == 8)
        under_test.close()
        gate.set()

    together([*[work] * 10, close])
    assert outcomes == [ManagerClosedError.__name__] * 10
    assert under_test.pool.in_flight() == 0


def test_many_streams_at_once_are_whole() -> None:
    """Every consumer gets exactly its own chunks."""

    def script(request: ProviderRequest) -> list[Delta]:
        prompt = request.messages[-1]["content"]
        return [*(Delta(content=f"{prompt}-{n} ") for n in range(10)), Delta(finish_reason="stop")]

    under_test = running(FakeProvider(otherwise=script), FakeProvider(otherwise=script), ceiling=3)
    texts: dict[str, str] = {}

    def work(number: int) -> None:
        for n in range(5):
            prompt = f"{number}.{n}"
            with under_test.stream(prompt) as stream:
                texts[prompt] = "".join(chunk.content for chunk in stream)

    together([lambda number=number: work(number) for number in range(16)])  # type: ignore[misc]
    under_test.reaper.stop()
    assert len(texts) == 80
    assert all(text == "".join(f"{prompt}-{n} " for n in range(10)) for prompt, text in texts.items())
    assert under_test.pool.in_flight() == 0


@pytest.mark.parametrize("seed", range(3))
def test_streams_closed_read_and_dropped_at_once_end_once(seed: int) -> None:
    """Whoever wins, reader, closers or the collector: one attempt, one request, one place given back per stream."""

    def script(request: ProviderRequest) -> FakeStream:
        return FakeStream([*(Delta(content="x") for _ in range(20)), Delta(finish_reason="stop")])

    under_test = running(FakeProvider(otherwise=script), ceiling=100)
    chance = random.Random(seed)
    for _ in range(25):
        stream = under_test.stream()

        def read(stream: Any = stream) -> None:
            try:
                for _ in stream:
                    pass
            except (StreamInterruptedError, RuntimeError):
                pass

        work: list[Any] = [stream.close] * chance.randrange(3) + [read] * chance.randrange(1, 3)
        together(work)
        work.clear()
        del stream, read
    gc.collect()
    until(lambda: under_test.pool.in_flight() == 0)
    until(lambda: len(under_test.recorder.requests) == 25)
    under_test.reaper.stop()
    assert len(under_test.recorder.attempts) == 25
    assert {event.attempt.outcome for event in under_test.recorder.attempts} <= {"success", "abandoned"}


def test_streams_dropped_by_many_threads_are_all_released() -> None:
    """No dropped stream keeps its place, and dropping blocks nobody."""

    def script(request: ProviderRequest) -> list[Delta]:
        return [Delta(content="x")] * 5 + [Delta(finish_reason="stop")]

    under_test = running(FakeProvider(otherwise=script), ceiling=8)

    def work() -> None:
        for _ in range(10):
            stream = under_test.stream()  # with 16 threads on 8 places this waits for the reaper
            next(stream)
            del stream

    together([work] * 16)
    gc.collect()
    until(lambda: under_test.pool.in_flight() == 0)
    under_test.reaper.stop()
    assert len(under_test.recorder.attempts) == 160


def test_a_warning_about_a_dropped_parameter_comes_once_from_many_threads(caplog: pytest.LogCaptureFixture) -> None:
    """Once per provider and name, also when the first requests run at the same time."""
    from tests.unit.fakes import api

    under_test = core(instance(0, api=api({})), clock=SystemClock())
    with caplog.at_level("WARNING", "flyllm.requests"):
        together([lambda: under_test.run(GenerationRequest("x", params={"top_k": 1}))] * 16)
    assert [r.getMessage() for r in caplog.records] == ["openai does not take top_k: left out of requests to it"]


def test_a_failed_request_in_one_thread_does_not_touch_the_others() -> None:
    """Exclusions belong to a request: a 400 for one leaves the instance to the rest."""
    bad = {"n": 0}
    lock = threading.Lock()

    def sometimes(request: ProviderRequest) -> Any:
        with lock:
            bad["n"] += 1
            return InvalidRequestError("x") if bad["n"] % 2 else "ok"

    under_test = running(FakeProvider(otherwise=sometimes))
    outcomes: Counter[str] = Counter()

    def work() -> None:
        for _ in range(10):
            error: LLMError | None = under_test.run().error
            with lock:
                outcomes[type(error).__name__] += 1

    together([work] * 8)
    assert outcomes == {"NoneType": 40, "InvalidRequestError": 40}


def test_a_refused_key_fails_those_who_wait_for_it_at_once() -> None:
    """With one place and sixteen threads: one wire call, one error for everybody, and nobody waits for a minute."""
    arrived = threading.Event()

    def refuse(request: ProviderRequest) -> Any:
        assert arrived.wait(HANG)
        return AuthenticationError("HTTP 401")

    adapter = FakeProvider(otherwise=refuse)
    under_test = running(adapter, ceiling=1)
    outcomes: list[str] = []

    def work() -> None:
        outcomes.append(type(under_test.run().error).__name__)

    def let_it_answer() -> None:
        until(lambda: len(under_test.pool._scheduler.waiters) == 15)
        arrived.set()

    together([*[work] * 16, let_it_answer])
    assert outcomes == ["AuthenticationError"] * 16
    assert len(adapter.requests) == 1
    assert under_test.pool.in_flight() == 0


def test_an_outage_of_all_is_waited_out_by_all() -> None:
    """While nobody is up requests stay in the queue but for a few probes; when one comes back all are answered."""
    back = threading.Event()

    def answer(request: ProviderRequest) -> Any:
        return "ok" if back.is_set() else RequestError("refused", sent=False)

    adapters = [FakeProvider(otherwise=answer) for _ in range(2)]
    places = [instance(n, adapter, max_concurrency=4, provider=f"p{n}") for n, adapter in enumerate(adapters)]
    under_test = core(*places, clock=Hasty(), strategy="lru", max_retries=99)
    outcomes: list[bool] = []

    def work() -> None:
        outcomes.append(under_test.run().success)

    def come_back() -> None:
        until(lambda: all(s.health != "closed" for s in under_test.pool.snapshots()))
        until(lambda: len(under_test.pool._scheduler.waiters) >= 22)
        wire = sum(len(adapter.requests) for adapter in adapters)
        threading.Event().wait(0.2)
        assert sum(len(adapter.requests) for adapter in adapters) - wire <= 20  # 24 threads would make thousands
        back.set()

    together([*[work] * 24, come_back])
    assert outcomes == [True] * 24
    assert under_test.pool.in_flight() == 0
    assert under_test.pool._scheduler.waiters == []
