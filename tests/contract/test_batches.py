"""Batches over real SDKs and sockets: mixed tasks, Ctrl-C and journals, limits of what may be spent."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyllm import (
    BatchProgress,
    BatchStoppedError,
    Budget,
    GenerationRequest,
    LLMManager,
    TaskDefinition,
)
from flyllm.testing import ErrorKind, ProviderSimulator

KEY = "sk-canary-0123456789abcdef0123456789abcdef"


@pytest.fixture
def simulator() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as simulator:
        yield simulator


def over(simulator: ProviderSimulator, **instances: str) -> LLMManager:
    """Return a manager with one instance per provider; a value names its task."""
    builder = LLMManager.builder()
    for provider, task in instances.items():
        if task:
            builder.define_task(TaskDefinition(task))
        tasks = [task] if task else []
        url = simulator.url(provider)
        builder.add_instance(provider, "m", KEY, endpoint=url, tasks=tasks, input_cost=1.0, output_cost=2.0)
    return builder.build()


def test_a_task_whose_instances_are_limited_holds_up_no_other(simulator: ProviderSimulator) -> None:
    """Its requests wait; the other task's, though they are further back, are all answered meanwhile."""
    simulator["openai"].fail(ErrorKind.RATE_LIMIT, None, retry_after=60)
    requests = [GenerationRequest(f"{n}", task="slow" if n % 2 == 0 else "quick") for n in range(200)]
    answered = 0
    with over(simulator, openai="slow", groq="quick") as manager:
        for response in manager.batch_iter(requests, max_workers=12):
            answered += response.task == "quick" and response.success
            if answered == 100:
                break  # which cuts those that still wait
    assert simulator["groq"].count == 100
    assert simulator["openai"].count <= 12


def test_a_journal_makes_a_batch_resumable(simulator: ProviderSimulator, tmp_path: Path) -> None:
    """With the same journal only what is missing is sent, failures among it; the key is nowhere in it."""
    path = tmp_path / "run.jsonl"
    openai = simulator["openai"]
    with over(simulator, openai="") as manager:
        first = manager.batch_generate([f"question {n}" for n in range(20)], journal=path)
        sent = openai.count
        again = list(manager.batch_iter((f"question {n}" for n in range(30)), journal=path, ordered=True))
    assert all(response.success for response in first)
    assert openai.count == sent + 10
    assert [response.content for response in again[:20]] == [response.content for response in first]
    assert [response.index for response in again] == list(range(30))
    assert again[3].usage == first[3].usage
    assert again[3].attempts == first[3].attempts
    text = path.read_text()
    assert KEY not in text
    assert "question" not in "".join(json.loads(line).get("prompt", "") for line in text.splitlines())


def test_a_failure_is_sent_again(simulator: ProviderSimulator, tmp_path: Path) -> None:
    """That is what resuming is for."""
    path = tmp_path / "run.jsonl"
    simulator["openai"].fail(ErrorKind.INVALID_REQUEST, None)
    with over(simulator, openai="") as manager:
        assert not any(response.success for response in manager.batch_iter(["a", "b"], journal=path))
        simulator["openai"].reset()
        assert all(response.success for response in manager.batch_iter(["a", "b"], journal=path))
        sent = simulator["openai"].count
        assert all(response.success for response in manager.batch_iter(["a", "b"], journal=path))
        assert simulator["openai"].count == sent


def test_a_batch_costs_no_more_than_its_budget_and_what_was_in_flight(simulator: ProviderSimulator) -> None:
    """Prices of the instances make the cost of a response."""
    with over(simulator, openai="") as manager:
        one = manager.generate("How much?")
        assert one.cost is not None
        assert one.usage.completion_tokens is not None
        assert one.usage.prompt_tokens is not None
        assert one.cost == pytest.approx((one.usage.prompt_tokens + 2 * one.usage.completion_tokens) / 1e6)
        asked, budget = ("How much?" for _ in range(10_000)), Budget(cost=20 * one.cost)
        responses = []
        with pytest.raises(BatchStoppedError, match="budget"):
            responses.extend(manager.batch_iter(asked, budget=budget, max_workers=4, window=8))
        assert 20 <= len(responses) <= 40


def test_requests_never_sent_say_so_in_a_list(simulator: ProviderSimulator) -> None:
    """One response per request, in order, whatever happens."""
    simulator["openai"].fail(ErrorKind.INVALID_REQUEST, None)
    with over(simulator, openai="") as manager:
        responses = manager.batch_generate([f"{n}" for n in range(200)], max_failures=4, max_workers=2)
    kinds = [type(response.error).__name__ for response in responses]
    assert len(kinds) == 200
    assert set(kinds) == {"InvalidRequestError", "BatchStoppedError"}
    assert simulator["openai"].count == kinds.count("InvalidRequestError") <= 20
    assert [response.index for response in responses] == list(range(200))


def test_progress_is_told_as_it_goes(simulator: ProviderSimulator) -> None:
    """In the caller's thread, the last state included."""
    seen: list[tuple[BatchProgress, threading.Thread]] = []
    with over(simulator, openai="") as manager:
        manager.batch_generate(
            [f"{n}" for n in range(50)],
            progress=lambda snapshot: seen.append((snapshot, threading.current_thread())),
        )
    last, thread = seen[-1]
    assert (last.done, last.failed, last.total, last.in_flight) == (50, 0, 50, 0)
    assert last.tokens is not None
    assert last.cost is not None
    assert thread is threading.current_thread()
