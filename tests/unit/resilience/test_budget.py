"""Rules of the budget of retries."""

import pytest

from flyllm._resilience.budget import PER_SECOND, RESERVE, RetryBudget

NOW = 1000.0


def emptied(ratio: float = 1.0) -> RetryBudget:
    budget = RetryBudget(NOW, ratio)
    while budget.take(NOW) == 0.0:
        pass
    return budget


def test_it_begins_full() -> None:
    """A hundred retries may be made at once, and the next has to wait a second."""
    budget = RetryBudget(NOW)
    assert budget.tokens(NOW) == RESERVE == 100.0
    assert [budget.take(NOW) for _ in range(101)] == [0.0] * 100 + [1.0]


def test_what_was_spent_and_put_off_is_counted() -> None:
    """Asking without a token spends nothing, however often."""
    budget = emptied()
    assert (budget.spent, budget.deferred, budget.tokens(NOW)) == (100, 1, 0.0)
    for _ in range(9):
        budget.take(NOW)
    assert (budget.spent, budget.deferred, budget.tokens(NOW)) == (100, 10, 0.0)


@pytest.mark.parametrize(("seconds", "tokens"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (30.0, 30.0), (1e6, 100.0)])
def test_a_token_comes_in_every_second_up_to_the_reserve(seconds: float, tokens: float) -> None:
    """So that retries go on, slowly, where nothing succeeds."""
    assert PER_SECOND == 1.0
    assert emptied().tokens(NOW + seconds) == tokens


@pytest.mark.parametrize(("ratio", "successes", "tokens"), [(1.0, 3, 3.0), (0.25, 3, 0.75), (1.0, 500, 100.0)])
def test_every_success_pays_for_retries_up_to_the_reserve(ratio: float, successes: int, tokens: float) -> None:
    """With a ratio of one every request may be retried once, in the long run."""
    budget = emptied(ratio)
    for _ in range(successes):
        budget.succeeded(NOW)
    assert budget.tokens(NOW) == tokens


def test_a_success_pays_for_one_retry_where_nobody_says_otherwise() -> None:
    """SRE's K = 2: at most twice as many calls as requests."""
    budget = RetryBudget(NOW)
    for _ in range(50):
        budget.take(NOW)
    budget.succeeded(NOW)
    assert budget.tokens(NOW) == 51.0


def test_it_tells_how_long_to_wait_and_keeps_to_it() -> None:
    """A quarter of a token: three quarters of a second to go."""
    budget = emptied()
    assert budget.take(NOW + 0.25) == 0.75
    assert budget.take(NOW + 0.75) == 0.25
    assert budget.take(NOW + 1.0) == 0.0
    assert budget.take(NOW + 1.0) == 1.0


def test_a_success_shortens_the_wait() -> None:
    """A part of a token is a part of the time."""
    budget = emptied(0.5)
    budget.succeeded(NOW)
    assert budget.take(NOW) == 0.5
    budget.succeeded(NOW + 0.25)
    assert budget.take(NOW + 0.25) == 0.0


def test_asking_for_the_state_changes_nothing() -> None:
    """Reading it at a later time does not earn anything twice."""
    budget = emptied()
    assert [budget.tokens(NOW + seconds) for seconds in (10.0, 10.0, 5.0)] == [10.0, 10.0, 5.0]
