"""Odd JSON becomes one clear error or a harmless value, never another exception."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm.errors import ParseError
from flyllm.providers.payload import EXCERPT, count, decode, dicts, mapping, text_of, usage


@pytest.mark.parametrize(
    ("content", "content_type", "says"),
    [
        (b"", "application/json", "empty body"),
        (b"  \n", "", "empty body"),
        (b"<html>x</html>", "text/html", "HTML page"),
        (b"<!DOCTYPE html><p>", "application/json", "HTML page"),
        (b'{"a": ', "", "cannot be read"),
        (b"\xff\xfe", "", "cannot be read"),
        (b'{"a": 1} {"a": 2}', "", "cannot be read"),
        ('{"a": 1}\xa0', "", "cannot be read"),
        (b"null", "", "expected a JSON object"),
        (b"[1]", "", "expected a JSON object"),
        ('"text"', "", "expected a JSON object"),
    ],
)
def test_what_is_no_object_is_named(content: bytes | str, content_type: str, says: str) -> None:
    """The error says what came instead, in a few words of it."""
    with pytest.raises(ParseError, match=says) as caught:
        decode(content, content_type)
    assert caught.value.__cause__ is None


def test_an_object_is_decoded_with_and_without_a_mark() -> None:
    """Bytes, text, and a byte order mark before them."""
    assert decode(b'{"a":1}') == decode('{"a":1}') == decode(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


def test_white_space_around_an_object_is_none_of_it() -> None:
    """JSON's own; other spaces are garbage."""
    assert decode(b' \r\n{"a":1}\t\n') == decode('\n{"a":1} ') == {"a": 1}


def test_an_excerpt_is_short() -> None:
    """A megabyte of garbage does not become the error's text."""
    with pytest.raises(ParseError) as caught:
        decode(b"x" * 1_000_000)
    assert len(str(caught.value)) < EXCERPT + 200


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_decoding_is_total(content: bytes | str) -> None:
    """Any content is an object or a ParseError."""
    with suppress(ParseError):
        assert isinstance(decode(content), dict)


@pytest.mark.parametrize(
    ("value", "counted"),
    [
        (3, 3),
        (0, 0),
        (3.0, 3),
        (3.9, 3),
        ("12", 12),
        ("12.0", 12),
        (None, None),
        (True, None),
        (-1, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**30, None),
        ("many", None),
        ("", None),
        ("²", None),
        ("1.2.3", None),
        ([3], None),
    ],
)
def test_counts_are_whole_and_sane_or_absent(value: Any, counted: int | None) -> None:
    """Cohere sends floats, some gateways strings; nonsense must not poison the totals."""
    assert count({"a": {"b": value}}, "a", "b") == counted


@given(value=st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=4))
def test_a_count_is_total(value: Any) -> None:
    """Any value is a count or None, wherever it stands."""
    for source in (value, {"a": value}, {"a": {"b": value}}):
        found = count(source, "a", "b")
        assert found is None or 0 <= found < 1e15


def test_a_total_is_added_up_only_from_both_parts() -> None:
    """A missing part is unknown, not zero."""
    assert usage(3, 4).total_tokens == 7
    assert usage(3, 4, 9).total_tokens == 9
    assert usage(3, None).total_tokens is None
    assert usage(0, 0).total_tokens == 0


def test_narrowing_gives_empty_values_of_the_type() -> None:
    """Readers need no checks of their own."""
    assert [text_of(v) for v in ("a", None, 1)] == ["a", "", ""]
    values: list[Any] = [{"a": 1}, None, []]
    assert [mapping(v) for v in values] == [{"a": 1}, {}, {}]
    assert [dicts(v) for v in ([{"a": 1}, 2, None], {"a": 1}, None)] == [[{"a": 1}], [], []]
