"""Rules of the budget of attempts made beside others."""

import pytest

from flyllm._resilience.hedge_budget import HedgeBudget


def after(successes: int) -> HedgeBudget:
    budget = HedgeBudget()
    for _ in range(successes):
        budget.succeeded()
    return budget


def spent(budget: HedgeBudget) -> int:
    """Spend what there is; return how many that were."""
    count = 0
    while budget.allows_one:
        budget.spend()
        count += 1
    return count


@pytest.mark.parametrize(("successes", "hedges"), [(0, 0), (19, 0), (20, 1), (39, 1), (41, 2), (200, 10), (5000, 10)])
def test_one_for_twenty_answers_and_ten_at_most(successes: int, hedges: int) -> None:
    """None before the first twenty, and no more saved up than ten."""
    assert spent(after(successes)) == hedges


def test_a_part_of_a_token_is_kept() -> None:
    """After one was spent the next comes in with the answers that are still missing to it."""
    budget = after(31)
    assert spent(budget) == 1
    for _ in range(8):
        budget.succeeded()
    assert not budget.allows_one
    budget.succeeded()
    budget.succeeded()
    assert budget.allows_one
