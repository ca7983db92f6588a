"""How much to think, in a provider's words: where it goes, what is left to the caller, and whom it is not said to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm.providers.base import ApiSpec, ProviderRequest
from flyllm.providers.body_params import body_params, for_model
from flyllm.providers.effort import Effort, effort_of, merged
from flyllm.providers.registry import REGISTRY, provider_spec

ROWS = [api for spec in REGISTRY.values() for api in spec.apis]
LEVEL = Effort("a.b", {"max": "high"}, {"none": {"off": True}}, {"a": {"c": 1}, "d": 2})


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("low", {"a": {"b": "low", "c": 1}, "d": 2}),
        ("max", {"a": {"b": "high", "c": 1}, "d": 2}),
        ("none", {"off": True}),
        ("tomorrow's", {"a": {"b": "tomorrow's", "c": 1}, "d": 2}),
        (3, {"a": {"b": 3, "c": 1}, "d": 2}),
        (["low"], {"a": {"b": ["low"], "c": 1}, "d": 2}),
    ],
)
def test_a_word_is_said_where_it_belongs(word: Any, said: dict[str, Any]) -> None:
    """Known, translated, said by other fields, unknown, or of a wrong type: the provider has the last word."""
    assert LEVEL.said(word) == said
    assert LEVEL.beside == {"a": {"c": 1}, "d": 2}


def test_the_first_pattern_that_fits_counts() -> None:
    other = Effort("x")
    efforts = (("mini", None), ("gpt", LEVEL), ("", other))
    assert effort_of(efforts, "GPT-9-Mini") is None
    assert effort_of(efforts, "gpt-9") is LEVEL
    assert effort_of(efforts, "claude") is other
    assert effort_of((), "claude") is None


@given(
    ours=st.dictionaries(st.sampled_from("abc"), st.integers() | st.dictionaries(st.sampled_from("xy"), st.integers())),
    theirs=st.dictionaries(
        st.sampled_from("abc"), st.integers() | st.dictionaries(st.sampled_from("xy"), st.integers())
    ),
)
def test_theirs_wins_and_nothing_is_lost(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    before = repr((ours, theirs))
    both = merged(ours, theirs)
    assert repr((ours, theirs)) == before
    assert both.keys() == ours.keys() | theirs.keys()
    for name, value in theirs.items():
        assert both[name] == value or (isinstance(value, dict) and value.items() <= both[name].items())


@given(
    row=st.sampled_from(ROWS),
    model=st.text(max_size=20) | st.sampled_from(["gpt-5", "gpt-oss", "claude-opus-4-6", "gemini-2.5-pro", "qwen3"]),
    word=st.text(max_size=8) | st.integers() | st.none(),
)
def test_an_effort_is_said_or_reported_never_both(row: ApiSpec, model: str, word: Any) -> None:
    """For any model's name and any word; other parameters stay as they are."""
    request = ProviderRequest(model, (), {"reasoning_effort": word, "own": 1})
    said = body_params(request, row)
    taken = "reasoning_effort" in for_model(row, model).params
    assert said["own"] == 1
    assert len(said) == 1 or (taken and word is not None)
    assert body_params(request, for_model(row, model)) == said


def test_a_row_keeps_its_parameters_for_a_model_that_takes_all() -> None:
    row = provider_spec("openai").api("chat_completions")
    assert for_model(row, "gpt-5.4") is row
    assert "reasoning_effort" in row.params
    without = for_model(row, "gpt-4o")
    assert row.params.keys() - without.params.keys() == {"reasoning_effort"}


@pytest.mark.parametrize(
    ("model", "taken"),
    [
        ("claude-3-7-sonnet-20250219", False),
        ("claude-opus-4-20250514", False),
        ("claude-sonnet-4-0", False),
        ("claude-opus-4-1", False),
        ("claude-sonnet-4-5-20250929", False),
        ("claude-haiku-4-5", False),
        ("anthropic/claude-sonnet-4.5", False),
        ("claude-opus-4-5-20251101", True),
        ("claude-sonnet-4-6", True),
        ("claude-opus-4-8", True),
        ("claude-haiku-5-5", True),
        ("claude-mythos-preview", True),
    ],
)
def test_claude_takes_an_effort_from_opus_4_5_on(model: str, taken: bool) -> None:
    row = provider_spec("anthropic").apis[0]
    assert (effort_of(row.efforts, model) is not None) == taken


def test_mythos_cannot_be_kept_from_thinking() -> None:
    row = provider_spec("anthropic").apis[0]
    effort = effort_of(row.efforts, "claude-mythos-preview")
    assert effort is not None
    assert effort.said("none") == {"output_config": {"effort": "low"}, "thinking": {"type": "adaptive"}}
