"""Vectors as providers send them, and whether they are what was asked for: one a text, all alike, of numbers."""

import sys
from array import array
from base64 import b64decode
from collections.abc import Sequence
from math import isfinite
from typing import Any, Literal

from flyllm.errors import ParseError

Packing = Literal["f", "b"]
"""What base64 holds: little-endian 32-bit floats, or signed bytes."""

Vector = tuple[float, ...]

_NUMBERS = frozenset({int, float})


def checked(found: Sequence[Any], texts: int, packing: Packing = "f") -> list[Vector]:
    """Return the vectors in `found`, lists or base64; raise `ParseError` unless they are one for each of `texts`."""
    if len(found) != texts:
        raise ParseError(f"{len(found)} embeddings came for {texts} texts")
    vectors = [_unpacked(value, packing) if isinstance(value, str) else _numbers(value) for value in found]
    lengths = {len(vector) for vector in vectors}
    if len(lengths) != 1 or 0 in lengths:
        raise ParseError(f"the embeddings have {', '.join(map(str, sorted(lengths)))} dimensions")
    return vectors


def _unpacked(text: str, packing: Packing) -> Vector:
    numbers = array(packing)
    try:
        numbers.frombytes(b64decode(text, validate=True))
    except ValueError as exc:
        raise ParseError(f"an embedding is no base64 of numbers: {exc}") from None
    if sys.byteorder == "big":
        numbers.byteswap()
    return _finite(tuple(map(float, numbers)))


def _numbers(value: Any) -> Vector:
    # By exact types: true is no number. Of all elements at once, since there are thousands a text.
    if not isinstance(value, list) or not _NUMBERS.issuperset(map(type, value)):
        raise ParseError("an embedding is not a list of numbers")
    try:
        return _finite(tuple(map(float, value)))
    except OverflowError:
        raise ParseError("an embedding has a number beyond all floats") from None


def _finite(vector: Vector) -> Vector:
    if not isfinite(sum(vector)):
        raise ParseError("an embedding has a number that is none")
    return vector
