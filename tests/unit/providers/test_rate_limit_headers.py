"""Rate limit headers of all providers in one form, as the simulator, and so their documents, write them."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm.providers.rate_limit_headers import Allowance, Unit, allowances, exhausted_for
from flyllm.testing.wires.anthropic import AnthropicWire
from flyllm.testing.wires.base import Call, Limits, Operation
from flyllm.testing.wires.registry import PROVIDERS, wires

LIMITS = Limits(100, 7, 30.0, 5000, 40, 12.0)
CALL = Call(Operation.CHAT, "m", "hi", {})
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
EPOCH = 784111777.0

REQUESTS, TOKENS = (Unit.REQUESTS, 7.0, 100.0), (Unit.TOKENS, 40.0, 5000.0)
TIMED = ((*REQUESTS, 30.0), (*TOKENS, 12.0))
TOLD = {
    "openai": TIMED,
    "anthropic": (*TIMED, (Unit.PART, 40.0, 5000.0, 12.0)),
    "google": (),
    "mistral": ((*REQUESTS, None), (*TOKENS, None)),
    "cohere": ((*REQUESTS, None),),
    "groq": TIMED,
    "togetherai": ((*REQUESTS, 30.0), (*TOKENS, None)),
    "perplexity": (),
    "ollama": (),
    "lmstudio": (),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_each_provider_tells(provider: str) -> None:
    """Remaining, limit and reset of each limit; some tell nothing."""
    wire = AnthropicWire(lambda: EPOCH) if provider == "anthropic" else wires(provider)[0]
    told = allowances({"date": DATE, **wire.headers(CALL, LIMITS, Random(1))})
    assert {(a.unit, a.remaining, a.limit, a.reset) for a in told} == set(TOLD[provider])


@pytest.mark.parametrize("remaining", ["-1", "", "many", "nan"])
def test_what_is_no_number_tells_nothing(remaining: str) -> None:
    """Azure says -1 where it does not count."""
    assert allowances({"x-ratelimit-remaining-tokens": remaining, "x-ratelimit-reset-tokens": "1s"}) == []


def test_limit_and_reset_may_be_missing() -> None:
    """What is left counts by itself."""
    name = "x-ratelimit-remaining-requests"
    assert allowances({name: "3"}) == [Allowance(name, Unit.REQUESTS, 3.0, None, None)]


def test_the_last_reset_of_those_used_up() -> None:
    """All used-up limits must be whole again; others do not matter."""
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "2s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "350ms",
        "x-ratelimit-remaining": "1",
        "x-ratelimit-reset": "500",
        "x-trial-endpoint-call-remaining": "0",
    }
    assert exhausted_for(headers) == 2.0
    assert exhausted_for({}) is None


@given(
    st.dictionaries(
        st.sampled_from(
            [
                f"x-ratelimit-{what}-{unit}"
                for what in ("remaining", "limit", "reset")
                for unit in ("requests", "tokens")
            ]
            + [f"anthropic-ratelimit-input-tokens-{what}" for what in ("remaining", "limit", "reset")]
            + ["date", "x-other"]
        ),
        st.text() | st.just(DATE) | st.from_regex(r"\d{1,15}(s|ms|m)?"),
    )
)
def test_it_is_total(headers: dict[str, str]) -> None:
    """Whatever stands there, numbers are finite and not below zero."""
    for told in allowances(headers):
        for value in (told.remaining, told.limit, told.reset):
            assert value is None or (math.isfinite(value) and value >= 0)
