"""What all wires share: framing of events, cutting of texts, reading of requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm.testing.wires.reading import Rule, first_fault, is_a, pydantic_message, text_of, type_of
from flyllm.testing.wires.sse import pieces, sse


@given(st.text())
def test_pieces_join_to_the_text(text: str) -> None:
    """Nothing is lost or added, and no piece is empty."""
    assert "".join(pieces(text)) == text
    assert "" not in pieces(text)


def test_an_event_is_one_block_of_utf8() -> None:
    """A name is a line of its own; text that is no JSON is sent as it is."""
    assert sse({"a": "ü"}) == 'data: {"a":"ü"}\n\n'.encode()
    assert sse("[DONE]", "end") == b"event: end\ndata: [DONE]\n\n"


def test_text_is_found_in_any_shape() -> None:
    """Strings, lists of parts, contents with parts; what is no text is passed over."""
    parts = [{"type": "text", "text": "b"}, {"inlineData": {"data": "xx"}}]
    assert text_of("a", [{"role": "user", "content": parts}], {"parts": [{"text": "c"}]}, None) == "a\nb\nc"


@pytest.mark.parametrize(
    ("value", "kind"),
    [("x", "string"), (1, "integer"), (1.5, "number"), (True, "boolean"), ([], "array"), ({}, "object")],
)
def test_types_are_those_of_json(value: object, kind: str) -> None:
    """True is no number."""
    assert type_of(value) == kind
    assert is_a(value, kind)
    assert is_a(value, "number") is (kind in ("integer", "number"))


def test_the_first_broken_rule_is_found() -> None:
    """Absent and null parameters break none; bounds are allowed values."""
    rules = {"a": Rule("number", 0, 1), "b": Rule("string|array")}
    assert first_fault({"a": None, "b": ["x"]}, rules) is None
    assert first_fault({"a": 1}, rules) is None
    messages = []
    for body in ({"a": 2}, {"a": -0.5}, {"a": "x", "b": 1}, {"b": 1}):
        fault = first_fault(body, rules)
        assert fault is not None
        messages.append((fault.name, pydantic_message(fault)))
    assert messages == [
        ("a", "Input should be less than or equal to 1"),
        ("a", "Input should be greater than or equal to 0"),
        ("a", "Input should be a valid number"),
        ("b", "Input should be a valid string"),
    ]
