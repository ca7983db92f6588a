"""Rules of a manager's budget: what counts, when it is refused, and what is logged."""

import logging
import threading

import pytest

from flyllm.errors import BudgetExceededError, ServerError
from flyllm.observability.budget import Budget, Expenses
from flyllm.observability.events import AttemptEvent
from flyllm.observability.spending import Spending
from flyllm.request import GenerationRequest
from flyllm.types import Attempt, TokenUsage


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING, "flyllm.budget")
    return caplog


USAGE = TokenUsage(6, 4, 10)


def event(cost: float | None = None, usage: TokenUsage = USAGE, outcome: str = "success", at: int = 0) -> AttemptEvent:
    attempt = Attempt(1, at, f"i{at}", "openai", "m", 1.0, 0.0, 0.5, outcome, usage=usage, cost=cost)
    error = ServerError("x") if outcome == "ServerError" else None
    return AttemptEvent(attempt, GenerationRequest("x"), {}, error, "")


def refused(spending: Spending) -> str:
    with pytest.raises(BudgetExceededError) as caught:
        spending.refuse_if_spent()
    return str(caught.value)


def test_requests_are_refused_once_the_budget_is_reached() -> None:
    """Not before; and what was under way then may still be counted."""
    spending = Spending(Budget(cost=1.0))
    spending.refuse_if_spent()
    spending.on_attempt(event(0.5))
    spending.refuse_if_spent()
    spending.on_attempt(event(0.5))
    assert refused(spending) == "the manager's budget of 1 is used up (1): raise it, or begin to count anew"
    spending.on_attempt(event(0.5))
    refused(spending)


def test_attempts_of_every_outcome_are_paid_for() -> None:
    """Tokens count as reported, or as prompt and completion where no total is."""
    spending = Spending(Budget(tokens=40))
    for outcome in ("success", "ServerError", "abandoned"):
        spending.on_attempt(event(outcome=outcome))
    spending.on_attempt(event(usage=TokenUsage()))
    spending.refuse_if_spent()
    spending.on_attempt(event(usage=TokenUsage(completion_tokens=10)))
    assert "budget of 40 tokens is used up (40)" in refused(spending)


def test_without_a_limit_nothing_is_refused() -> None:
    """Nor is it by a limit on the other number."""
    spending = Spending(Budget(cost=100.0))
    spending.on_attempt(event(1.0, TokenUsage(10**9, 0, 10**9)))
    spending.refuse_if_spent()


def test_a_budget_of_nothing_refuses_all() -> None:
    """From the first request on."""
    assert "budget of 0 is used up (0)" in refused(Spending(Budget(cost=0.0)))


def test_one_warning_is_logged_near_the_end_and_one_at_it(warnings: pytest.LogCaptureFixture) -> None:
    """Whichever limit is nearer."""
    spending = Spending(Budget(tokens=100, cost=10.0))
    for _ in range(12):
        spending.on_attempt(event(0.1))
    assert warnings.messages == [
        "80 % of the manager's budget is spent",
        "the manager's budget of 100 tokens is used up (100): new requests are refused",
    ]


def test_a_leap_over_both_marks_is_one_warning(warnings: pytest.LogCaptureFixture) -> None:
    """The graver one."""
    spending = Spending(Budget(cost=1.0))
    spending.on_attempt(event(5.0))
    assert warnings.messages == ["the manager's budget of 1 is used up (5): new requests are refused"]


def test_a_raised_budget_lets_requests_through_and_warns_again(warnings: pytest.LogCaptureFixture) -> None:
    """What was spent stays spent."""
    spending = Spending(Budget(cost=1.0))
    spending.on_attempt(event(1.0))
    spending.allow(Budget(cost=2.0))
    spending.refuse_if_spent()
    spending.on_attempt(event(0.75))
    spending.on_attempt(event(0.25))
    refused(spending)
    assert [message[:4] for message in warnings.messages] == ["the ", "87 %", "the "]
    spending.allow(Budget())
    spending.refuse_if_spent()
    spending.allow(Budget(cost=1.5))
    refused(spending)


def test_counting_anew_lets_requests_through() -> None:
    """The budget is whole again."""
    spending = Spending(Budget(cost=1.0))
    spending.on_attempt(event(1.0))
    spending.reset()
    spending.on_attempt(event(0.9))
    spending.refuse_if_spent()
    spending.on_attempt(event(0.1))
    refused(spending)


def test_an_instance_without_a_price_is_named_once(warnings: pytest.LogCaptureFixture) -> None:
    """When it has told its tokens: without these even a known price gives no cost."""
    spending = Spending(Budget(cost=1.0))
    for _ in range(3):
        spending.on_attempt(event(None, at=0))
        spending.on_attempt(event(None, TokenUsage(), "ServerError", at=1))
        spending.on_attempt(event(0.0, at=2))
        spending.on_attempt(event(None, at=3))
    assert [message.split(":")[0] for message in warnings.messages] == [
        "the price of i0 (m) is not known",
        "the price of i3 (m) is not known",
    ]


def test_a_limit_of_tokens_needs_no_price(warnings: pytest.LogCaptureFixture) -> None:
    Spending(Budget(tokens=1000)).on_attempt(event(None))
    assert warnings.messages == []


def test_nothing_is_lost_between_64_threads(warnings: pytest.LogCaptureFixture) -> None:
    """The last attempt that fits is the one that uses it up, and one thread warns."""
    spending, barrier, one = Spending(Budget(tokens=64 * 100 * 10)), threading.Barrier(64), event()

    def work() -> None:
        barrier.wait(20)
        for _ in range(100):
            spending.on_attempt(one)

    spending.on_attempt(event(usage=TokenUsage(0, 0, -1)))  # so that it takes one attempt more than the threads make
    threads = [threading.Thread(target=work) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    spending.refuse_if_spent()
    assert warnings.messages == ["80 % of the manager's budget is spent"]
    spending.on_attempt(one)
    refused(spending)
    assert len(warnings.messages) == 2


def test_the_share_is_of_the_limit_that_is_nearer() -> None:
    spent = Expenses()
    spent.add(event(0.5).attempt)
    assert (spent.tokens, spent.cost) == (10, 0.5)
    assert Budget().share(spent) == 0.0
    assert Budget(tokens=100).share(spent) == 0.1
    assert Budget(tokens=100, cost=1.0).share(spent) == 0.5
    assert Budget(tokens=0).share(spent) == 1.0
