"""Only vectors that are what was asked for are handed on."""

from array import array
from base64 import b64encode
from typing import Any

import pytest

from flyllm.errors import ParseError
from flyllm.providers.vectors import checked


def test_lists_become_floats() -> None:
    assert checked([[1, 0.5], [0.25, -2]], 2) == [(1.0, 0.5), (0.25, -2.0)]
    assert all(type(number) is float for vector in checked([[1, 2]], 1) for number in vector)


def test_base64_holds_floats_or_small_integers() -> None:
    assert checked([b64encode(array("f", [0.5, -1.0]).tobytes()).decode()], 1) == [(0.5, -1.0)]
    assert checked([b64encode(bytes([1, 255, 128])).decode()], 1, "b") == [(1.0, -1.0, -128.0)]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ([], "0 embeddings came for 2 texts"),
        ([[1.0]], "1 embeddings came for 2 texts"),
        ([[1.0], [1.0], [1.0]], "3 embeddings came for 2 texts"),
        ([[1.0], [1.0, 2.0]], "1, 2 dimensions"),
        ([[], []], "0 dimensions"),
        ([[1.0], None], "not a list of numbers"),
        ([[1.0], {"0": 1.0}], "not a list of numbers"),
        ([[1.0], [True]], "not a list of numbers"),
        ([[1.0], ["1.0"]], "not a list of numbers"),
        ([[1.0], [None]], "not a list of numbers"),
        ([[1.0], [[1.0]]], "not a list of numbers"),
        ([[1.0], [float("nan")]], "a number that is none"),
        ([[1.0], [float("inf")]], "a number that is none"),
        ([[1.0], [10**400]], "beyond all floats"),
        (["!!!!", "!!!!"], "no base64"),
        (["QUJD", "QUJD"], "no base64"),
    ],
)
def test_anything_else_is_no_answer(found: list[Any], why: str) -> None:
    with pytest.raises(ParseError, match=why):
        checked(found, 2)
