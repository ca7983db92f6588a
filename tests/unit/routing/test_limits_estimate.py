"""The guess of an attempt's tokens: a start, then what the instance's answers taught."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyllm._routing.token_estimate import OUTPUT, TOKENS_PER_BYTE, TokenEstimate, prompt_size
from flyllm.request import GenerationRequest
from flyllm.types import TokenUsage


def taught(estimate: TokenEstimate, size: int, prompt: int, answer: int, times: int = 100) -> TokenEstimate:
    for _ in range(times):
        estimate.learn(size, TokenUsage(prompt, answer, prompt + answer))
    return estimate


def test_before_the_first_answer() -> None:
    """Three tokens in ten bytes, and a short answer."""
    assert TokenEstimate("groq").charge(1000) == 1000 * TOKENS_PER_BYTE + OUTPUT


def test_the_ratio_is_learned() -> None:
    """After some answers a prompt is charged what prompts of its size took."""
    estimate = taught(TokenEstimate("groq"), 2000, 1000, 10)
    assert estimate.charge(4000) == pytest.approx(2010, rel=0.02)


def test_short_prompts_hardly_count() -> None:
    """A greeting is mostly overhead: it must not make long prompts look larger."""
    estimate = taught(TokenEstimate("groq"), 2, 9, 10, times=1)
    assert estimate.charge(10_000) == pytest.approx(3010, rel=0.01)


def test_what_is_no_text_does_not_count() -> None:
    """A thousand tokens of an image beside a few bytes say nothing about text."""
    estimate = taught(TokenEstimate("groq"), 100, 2000, 10)
    assert estimate.charge(1000) <= 1010


def test_an_answers_length_is_near_the_upper_end() -> None:
    """Of lengths spread evenly from 0 to 1000, most answers stay below the guess, and the guess below the longest."""
    estimate, rng = TokenEstimate("groq"), random.Random(1)
    for _ in range(2000):
        estimate.learn(0, TokenUsage(0, rng.randint(0, 1000)))
    assert 600 <= estimate.charge(0) <= 950


def test_max_tokens_bounds_the_answer() -> None:
    """No answer is longer than asked for; nonsense asks for nothing."""
    estimate = taught(TokenEstimate("groq"), 0, 0, 400)
    assert [estimate.charge(0, limit) for limit in (50, 4000, None, "50", 0, -1)] == [50, 400, 400, 400, 400, 400]


def test_where_the_provider_counts_max_tokens() -> None:
    """OpenAI admits by it, whatever the answers were like."""
    estimate = taught(TokenEstimate("openai"), 0, 0, 10)
    assert [estimate.charge(0, limit) for limit in (50, 4000, None)] == [50, 4000, 10]


@pytest.mark.parametrize(("provider", "tokens"), [("anthropic", 40), ("groq", 40), ("openai", 130)])
def test_cached_tokens_count_where_the_provider_counts_them(provider: str, tokens: int) -> None:
    """Anthropic and Groq give cache reads for free."""
    assert TokenEstimate(provider).learn(400, TokenUsage(100, 30, 130, cached_tokens=90)) == tokens


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (TokenUsage(), None),
        (TokenUsage(total_tokens=7), 7),
        (TokenUsage(prompt_tokens=5), None),
        (TokenUsage(5, 2), 7),
        (TokenUsage(0, 0, 0), 0),
    ],
)
def test_what_nobody_counted_stays_unknown(usage: TokenUsage, tokens: int | None) -> None:
    """The estimate of such an attempt stands."""
    assert TokenEstimate("openai").learn(10, usage) == tokens


COUNT = st.none() | st.integers(0, 10**7)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**7), COUNT, COUNT)), st.integers(0, 10**8), COUNT)
def test_a_charge_is_finite_and_no_prompt_is_more_than_its_bytes(
    answers: list[tuple[int, int | None, int | None]], size: int, limit: int | None
) -> None:
    """Whatever was learned, a text of n bytes is charged at most n tokens and an answer of the lengths seen."""
    estimate = TokenEstimate("groq")
    for prompt_bytes, prompt, answer in answers:
        estimate.learn(prompt_bytes, TokenUsage(prompt, answer))
    assert 0 <= estimate.charge(size, limit) <= size + max([256, *(answer or 0 for _, _, answer in answers)]) + 1


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        (GenerationRequest("hello"), 5),
        (GenerationRequest("héllo", system="ab"), 8),
        (GenerationRequest("\ud800"), 1),
        (GenerationRequest(messages=[{"role": "user", "content": "abc"}, {"role": "assistant", "content": None}]), 3),
        (
            GenerationRequest(
                messages=[
                    {
                        "content": [
                            {"type": "text", "text": "ab"},
                            {"type": "image_url", "image_url": {"url": "x" * 99}},
                            5,
                        ]
                    },
                    {},
                ]
            ),
            2,
        ),
    ],
)
def test_a_prompts_size_is_its_text(request_: GenerationRequest, size: int) -> None:
    """In bytes of UTF-8, over system prompt, prompt and all text parts."""
    assert prompt_size(request_) == size
