"""Texts are split as a provider takes them."""

from hypothesis import given
from hypothesis import strategies as st

from flyllm._execution.chunks import next_chunk, tokens_at_most
from flyllm.providers.base import EmbeddingSpec


def chunks(texts: tuple[str, ...], spec: EmbeddingSpec) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    start = 0
    while start < len(texts):
        found.append(next_chunk(texts, start, spec))
        start += len(found[-1])
    return found


def test_a_call_takes_as_many_texts_as_its_provider_allows() -> None:
    texts = tuple(map(str, range(7)))
    assert [len(chunk) for chunk in chunks(texts, EmbeddingSpec("", 3))] == [3, 3, 1]
    assert [len(chunk) for chunk in chunks(texts, EmbeddingSpec("", 7))] == [7]


def test_a_call_takes_as_many_tokens_as_its_provider_allows() -> None:
    texts = ("a" * 20, "b" * 20, "c" * 20, "d" * 2)
    assert [len(chunk) for chunk in chunks(texts, EmbeddingSpec("", 100, 21))] == [2, 2]


def test_a_text_that_is_too_long_alone_goes_alone() -> None:
    """Its provider says so, or cuts it off, as its parameters want."""
    texts = ("a", "b" * 1000, "c")
    assert chunks(texts, EmbeddingSpec("", 100, 10)) == [("a",), ("b" * 1000,), ("c",)]


def test_no_script_has_more_tokens_than_are_counted() -> None:
    """Where a character has several bytes it may have as many tokens."""
    assert tokens_at_most("ab") == 1
    assert tokens_at_most("日本") == 6
    assert tokens_at_most("") == 0


@given(
    st.lists(st.text(max_size=30), max_size=40).map(tuple),
    st.integers(1, 10),
    st.none() | st.integers(1, 60),
)
def test_every_text_is_sent_once_and_no_call_is_too_large(
    texts: tuple[str, ...], most: int, tokens: int | None
) -> None:
    found = chunks(texts, EmbeddingSpec("", most, tokens))
    assert tuple(text for chunk in found for text in chunk) == texts
    for chunk in found:
        assert 1 <= len(chunk) <= most
        assert tokens is None or len(chunk) == 1 or sum(map(tokens_at_most, chunk)) <= tokens
