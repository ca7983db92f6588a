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


def test_cached_and_reasoning_tokens_have_prices_of_their_own() -> None:
    """They are part of prompt and completion; without a price of their own they cost what the rest does."""
    usage = TokenUsage(1_000_000, 1_000_000, cached_tokens=250_000, reasoning_tokens=500_000)
    assert Price(4.0, 8.0).of(usage) == 12.0
    assert Price(4.0, 8.0, cached=1.0).of(usage) == 3.0 + 0.25 + 8.0
    assert Price(4.0, 8.0, cached=0.0).of(usage) == 3.0 + 8.0
    assert Price(4.0, 8.0, reasoning=2.0).of(usage) == 4.0 + 4.0 + 1.0
    assert Price(4.0, 8.0, cached=1.0, reasoning=2.0).of(TokenUsage(1_000_000, 1_000_000)) == 12.0


def test_more_cached_tokens_than_there_are_never_pay_back() -> None:
    """As a provider counts them that leaves them out of the prompt."""
    assert Price(4.0, 8.0, cached=0.0, reasoning=0.0).of(TokenUsage(10, 10, None, 1000, 1000)) == 0.0


def test_a_price_of_the_request_itself_is_added() -> None:
    assert Price(1.0, 1.0, request=0.012).of(TokenUsage(0, 0)) == 0.012


def test_only_a_whole_price_has_a_source() -> None:
    assert Price(0.0, 0.0).source == "configured"
    assert Price(1.0, None).source is None
    assert Price().source is None
