"""Usage, cost and budgets over real SDKs and sockets: the report says what the servers have served."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyllm import (
    AttemptCounts,
    BudgetExceededError,
    GenerationRequest,
    LLMManager,
    RequestCounts,
    StreamInterruptedError,
    TaskDefinition,
    TokenUsage,
    UsageReport,
)
from flyllm.config.toml_file import config_from_toml
from flyllm.testing import ErrorKind, ProviderSimulator, Reply, cut

ANSWER = Reply("Paris.", prompt_tokens=100, completion_tokens=50, cached_tokens=40)
COST = (60 * 1.0 + 40 * 0.25 + 50 * 2.0) / 1e6


@pytest.fixture
def simulator() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as simulator:
        yield simulator


def over(
    simulator: ProviderSimulator, *providers: str, cost: float | None = None, tokens: int | None = None
) -> LLMManager:
    """Return a manager that asks the providers in this order, for tasks "chat" and none."""
    builder = LLMManager.builder().define_task(TaskDefinition("chat")).budget(cost=cost, tokens=tokens)
    for tier, name in enumerate(providers):
        simulator[name].reply(ANSWER)
        builder.add_instance(name, "m", "key", endpoint=simulator.url(name), tasks=["chat"], priority=tier)
        builder.costs(1.0, 2.0, 0.25)
    return builder.build()


def consistent(report: UsageReport) -> UsageReport:
    """Return the report, whose parts add up."""
    for entries in (report.instances, report.tasks):
        assert sum(entry.attempts.succeeded for entry in entries) == report.total.attempts.succeeded
        assert sum(entry.spent.attempts for entry in entries) == report.total.spent.attempts
        assert sum(entry.spent.cost or 0 for entry in entries) == pytest.approx(report.total.spent.cost or 0)
    return report


def test_a_report_says_what_the_servers_have_served(simulator: ProviderSimulator) -> None:
    """Requests of 32 threads that fail over: every answer and every refusal is in it, with what it cost."""
    with over(simulator, "openai", "lmstudio") as manager:
        costs: list[float | None] = []

        def work() -> None:
            for number in range(8):
                response = manager.generate(GenerationRequest("x", task="chat" if number % 2 else None))
                costs.append(response.cost)

        manager.generate("import the SDKs")
        manager.reset_usage()
        before = [server.count for server in simulator]
        simulator["openai"].fail(ErrorKind.RATE_LIMIT, times=20)
        threads = [threading.Thread(target=work) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        report = consistent(manager.usage_report())
        served = [server.count - earlier for server, earlier in zip(simulator, before, strict=True)]
    assert report.total.requests == RequestCounts(succeeded=256, failed=0)
    assert sum(served) > 256
    assert report.total.attempts == AttemptCounts(succeeded=256, failed=sum(served) - 256)
    assert [entry.spent.attempts for entry in report.instances] == served
    assert report.total.spent.tokens.prompt_tokens == 256 * 100
    assert report.total.spent.cost == pytest.approx(sum(cost or 0.0 for cost in costs))
    assert report.total.spent.unknown.keys() <= {"reasoning_tokens", "cached_tokens"}
    assert [(entry.name, entry.requests.succeeded) for entry in report.tasks] == [("chat", 128), ("default", 128)]
    assert all(entry.price_sources == ("configured",) for entry in report.instances)


def test_an_interrupted_stream_is_apart_from_the_answers(simulator: ProviderSimulator) -> None:
    """What it had brought was paid for."""
    with over(simulator, "openai") as manager:
        simulator["openai"].enqueue(cut(after=2, how="close"))
        with pytest.raises(StreamInterruptedError), manager.generate_stream("x") as stream:
            list(stream)
        manager.generate("x")
        with manager.generate_stream("x") as stream:
            next(iter(stream))
        report = consistent(manager.usage_report())
    assert report.total.attempts == AttemptCounts(succeeded=1, failed=1, abandoned=1)
    assert report.total.answers.tokens.prompt_tokens == 100
    assert report.total.answers.source("completion_tokens") == "reported"
    assert report.total.discarded.attempts == 2
    assert report.total.discarded.source("completion_tokens") == "estimated"


def test_the_answers_cost_is_the_attempts(simulator: ProviderSimulator) -> None:
    """With cached tokens at their own price."""
    with over(simulator, "openai") as manager:
        response = manager.generate("x")
        assert response.usage == TokenUsage(100, 50, 150, 40, response.usage.reasoning_tokens)
        assert response.cost == response.attempts[0].cost == pytest.approx(COST)
        assert manager.usage_report().total.spent.cost == pytest.approx(COST)


def test_new_requests_are_refused_once_the_budget_is_spent(simulator: ProviderSimulator) -> None:
    """Calls, streams and batches; the refused ones are failed requests in the report, and nothing was sent."""
    with over(simulator, "openai", cost=2.5 * COST) as manager:
        for _ in range(3):
            manager.generate("x")
        with pytest.raises(BudgetExceededError, match="is used up"):
            manager.generate("x")
        with pytest.raises(BudgetExceededError):
            manager.generate_stream("x")
        responses = manager.batch_generate(["a", "b"])
        assert [type(response.error) for response in responses] == [BudgetExceededError] * 2
        assert simulator["openai"].count == 3
        assert manager.usage_report().total.requests == RequestCounts(succeeded=3, failed=4)
        assert all(snapshot.health == "closed" for snapshot in manager.instances)


def test_a_budget_can_be_raised_or_counted_anew(simulator: ProviderSimulator) -> None:
    """Raised, what was spent stays spent; counted anew, the report begins with it."""
    with over(simulator, "openai", tokens=150) as manager:
        manager.generate("x")
        with pytest.raises(BudgetExceededError):
            manager.generate("x")
        manager.set_budget(tokens=300)
        manager.generate("x")
        with pytest.raises(BudgetExceededError):
            manager.generate("x")
        assert manager.reset_usage().total.spent.tokens.total_tokens == 300
        manager.generate("x")
        assert manager.usage_report().total.spent.tokens.total_tokens == 150


def test_what_is_under_way_is_finished(simulator: ProviderSimulator) -> None:
    """A request that has begun is retried even after others have spent the rest; a stream is read to its end."""
    with over(simulator, "openai", "lmstudio", tokens=150) as manager:
        with manager.generate_stream("x") as stream:
            chunks = iter(stream)
            next(chunks)
            manager.generate("x")
            with pytest.raises(BudgetExceededError):
                manager.generate("x")
            list(chunks)
        assert stream.response is not None
        assert stream.response.content == "Paris."


def test_a_retry_of_a_request_that_has_begun_is_made(simulator: ProviderSimulator) -> None:
    """Also where its own first attempt has spent the budget."""
    with over(simulator, "openai", "lmstudio", tokens=1) as manager:
        simulator["openai"].enqueue(cut(after=2, how="close"))
        with manager.generate_stream("x", on_interrupt="restart") as stream:
            assert [chunk.content for chunk in stream][-1] is not None
        assert stream.response is not None
        assert [attempt.outcome for attempt in stream.response.attempts] == ["RequestError", "success"]


def test_the_printed_table_has_what_it_cost(simulator: ProviderSimulator, capsys: pytest.CaptureFixture[str]) -> None:
    """In a column behind FlyLLM's."""
    with over(simulator, "openai") as manager:
        manager.generate("x")
        manager.print_token_usage()
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].endswith("Total Tokens    Cost")
    assert lines[4].split() == ["0", "openai", "m", "100", "50", "150", f"{COST:.6f}"]


def test_an_instance_without_a_price_says_so(simulator: ProviderSimulator) -> None:
    """Its address is nobody's who publishes prices."""
    with (
        LLMManager.builder().add_instance("openai", "gpt-4o", "k", endpoint=simulator.url("openai")).build() as manager
    ):
        assert manager.generate("x").cost is None
        report = manager.usage_report()
    assert (report.total.spent.cost, report.total.spent.unknown["cost"]) == (None, 1)
    assert report.instances[0].price_sources == ()


def test_the_pages_examples_run(simulator: ProviderSimulator) -> None:
    """docs/usage.md, from its first line to its last."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "usage.md").read_text(encoding="utf-8")
    blocks = {
        name: re.findall(rf"^```{name}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL) for name in ("python", "toml")
    }
    config = config_from_toml("\n".join(reversed(blocks["toml"])), environ={"OPENAI_API_KEY": "k"})
    assert (config.budget_cost, config.instances[0].cached_input_cost) == (25.0, 0.075)
    with over(simulator, "openai") as manager:
        manager.generate("x")
        names: dict[str, Any] = {"manager": manager}
        exec("\n".join(blocks["python"]), names)
    assert names["spent"].cost == names["last_month"].total.spent.cost == pytest.approx(COST)
