"""Unscripted answers and token counts."""

from math import hypot

import pytest

from flyllm.testing import Call, Operation, Reply, SimulatedToolCall
from flyllm.testing.answers import completed, count_tokens, default_text, vectors


def call(prompt: str, **body: object) -> Call:
    return Call(Operation.CHAT, "m", prompt, dict(body), (prompt,))


def test_default_text_depends_on_seed_name_and_whole_prompt() -> None:
    """The same three give the same text; any other gives another, far into the prompt too."""
    text = default_text(0, "openai", "Hello " * 50)
    assert text == default_text(0, "openai", "Hello " * 50)
    others = {
        default_text(1, "openai", "Hello " * 50),
        default_text(0, "x", "Hello " * 50),
        default_text(0, "openai", "Hello " * 50 + "!"),
    }
    assert len(others | {text}) == 4
    assert text.startswith("[openai] You said: 'Hello Hello")


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2)])
def test_tokens_are_quarters_of_characters_rounded_up(text: str, tokens: int) -> None:
    """One token per four characters begun."""
    assert count_tokens(text) == tokens


def test_counts_that_are_given_stay() -> None:
    """Only counts of 0 are filled in; completion tokens include reasoning and tool calls."""
    given = Reply("x" * 8, prompt_tokens=100, completion_tokens=50, reasoning_tokens=20)
    assert completed(given, call("Hi")) == given
    filled = completed(Reply("x" * 8, reasoning="y" * 12, tool_calls=(SimulatedToolCall("ab", {}),)), call("Hi" * 4))
    assert (filled.prompt_tokens, filled.reasoning_tokens, filled.completion_tokens) == (2, 3, 2 + 3 + 1)


def test_a_text_is_a_reply() -> None:
    """A plain text becomes a reply that stops of itself."""
    assert completed("abcd", call("")) == Reply("abcd", prompt_tokens=1, completion_tokens=1)


def embedding(text: str, size: int | None = None) -> Call:
    return Call(Operation.EMBEDDINGS, "m", text, {}, (text,), size)


def test_vectors_depend_on_model_and_text_alone() -> None:
    """Equal texts have equal vectors, of length 1; fewer dimensions are the first ones, made longer."""
    (first,), (second,), (other,) = vectors(embedding("a")), vectors(embedding("a", 4)), vectors(embedding("b"))
    assert (len(first), len(second)) == (16, 4)
    assert hypot(*first) == pytest.approx(1.0) == hypot(*second)
    assert [x / first[0] for x in first[:4]] == pytest.approx([x / second[0] for x in second])
    assert (vectors(embedding("a")), other == first) == ([first], False)
