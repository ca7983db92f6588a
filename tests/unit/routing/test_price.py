"""Rules of what tokens cost."""

import pytest

from flyllm._routing.price import Price
from flyllm.types import TokenUsage


def test_a_cost_is_tokens_by_their_price_per_million() -> None:
    assert Price(0.5, 2.0).of(TokenUsage(1_000_000, 500_000)) == 0.5 + 1.0
    assert Price(0.0, 0.0).of(TokenUsage(10, 10)) == 0.0


@pytest.mark.parametrize(
    ("price", "usage"),
    [
        (Price(), TokenUsage(1, 1)),
        (Price(1.0, None), TokenUsage(1, 1)),
        (Price(1.0, 1.0), TokenUsage(None, 1)),
        (Price(1.0, 1.0), TokenUsage(1, None)),
    ],
)
def test_what_is_not_known_is_not_guessed(price: Price, usage: TokenUsage) -> None:
    assert price.of(usage) is None
