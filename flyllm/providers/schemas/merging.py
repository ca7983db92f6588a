"""Two JSON schemas that both hold, as one: for providers without `allOf`."""

from collections.abc import Mapping
from typing import Any

from flyllm.providers.schemas.words import LABELS, TOLD, Node, properties, required, type_of, types

_HIGHER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"})
_LOWER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"})


class Conflict(Exception):  # noqa: N818 - an answer, not an error
    """No one schema says what the two say."""


def merged(one: Any, other: Any) -> Node:
    """Return the schema of what both take; labels are those of `one`. Raise `Conflict` where it cannot be written."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        both = [part for part in (one, other) if part is not True]
        if len(both) > 1 or not all(isinstance(part, Mapping) for part in both):
            raise Conflict
        return dict(both[0]) if both else {}
    made: Node = dict(one)
    for word, value in other.items():
        made[word] = _merged_value(word, made[word], value) if word in made else value
    if "type" in one and "type" in other:
        made["type"] = _common_type(one, other)
    return made


def _merged_value(word: str, one: Any, other: Any) -> Any:
    if word in LABELS or word in TOLD or word == "type" or _same(one, other):
        return one
    if word == "properties":
        mine, theirs = properties({word: one}), properties({word: other})
        shared = {name: merged(mine[name], theirs[name]) for name in mine.keys() & theirs.keys()}
        return {name: shared.get(name, inner) for name, inner in {**mine, **theirs}.items()}
    if word == "required":
        return list(dict.fromkeys([*required({word: one}), *required({word: other})]))
    if word == "additionalProperties" and False in (one, other):
        return False
    if word in ("items", "additionalProperties"):
        return merged(one, other)
    if word == "enum" and isinstance(one, list) and isinstance(other, list):
        if common := [value for value in one if any(_same(value, each) for each in other)]:
            return common
    elif word in _HIGHER | _LOWER and all(isinstance(bound, int | float) for bound in (one, other)):
        return (max if word in _HIGHER else min)(one, other)
    raise Conflict


def _common_type(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | list[str]:
    mine, theirs = types(one), types(other)
    common = [name for name in mine if name in theirs or (name == "integer" and "number" in theirs)]
    common += [name for name in theirs if name == "integer" and "number" in mine and name not in common]
    if not common:
        raise Conflict
    return common[0] if len(common) == 1 else common


def _same(one: Any, other: Any) -> bool:
    return type_of(one) == type_of(other) and bool(one == other)  # 1 is not True
