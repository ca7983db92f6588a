"""Walking through the JSON schema of a request's response format, for the checks of the wires."""

from collections.abc import Iterator
from typing import Any

from flyllm.testing.wires.base import Json

Place = tuple[str, ...]
_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")

CONDITIONS = frozenset({"not", "if", "then", "else", "dependentRequired", "dependentSchemas", "propertyNames"})
CONDITIONS |= {"unevaluatedProperties", "unevaluatedItems", "contains", "minContains", "maxContains", "uniqueItems"}
CONDITIONS |= {"patternProperties", "minProperties", "maxProperties"}
STRINGS = frozenset({"minLength", "maxLength", "pattern", "format"})
NUMBERS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
SIZES = frozenset({"minItems", "maxItems"})


def nodes(schema: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield every subschema with its place, the whole one first; values in `enum` and the like are none."""
    yield place, schema
    if not isinstance(schema, dict):
        return
    for word in _MAPS:
        for name, inner in (schema.get(word) or {}).items() if isinstance(schema.get(word), dict) else ():
            yield from nodes(inner, (*place, word, name))
    for word in _LISTS:
        for number, inner in enumerate(schema.get(word) or ()):
            yield from nodes(inner, (*place, word, str(number)))
    for word in _SINGLE:
        if isinstance(schema.get(word), dict):
            yield from nodes(schema[word], (*place, word))


def kinds(node: Any) -> tuple[str, ...]:
    """Return the types that a schema names."""
    named = node.get("type") if isinstance(node, dict) else None
    return tuple(named) if isinstance(named, list) else (named,) if isinstance(named, str) else ()


def target(schema: Json, reference: str) -> Any:
    """Return what a local reference points at, None where that is nothing."""
    node: Any = schema
    for token in reference.removeprefix("#").split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        node = node.get(key) if isinstance(node, dict) else None
    return node if reference.startswith("#") else None


def cycle(schema: Json, *, through_optional: bool = True) -> list[str]:
    """Return the references by which a schema comes back to itself, none where it does not.

    Unless `through_optional`, those in properties that are not required do not count.
    """
    return _cycle(schema, schema, [], through_optional)


def _cycle(root: Json, node: Any, path: list[str], through_optional: bool) -> list[str]:
    if not isinstance(node, dict):
        return []
    if isinstance(reference := node.get("$ref"), str):
        if reference in path:
            return [*path[path.index(reference) :], reference]
        if found := _cycle(root, target(root, reference), [*path, reference], through_optional):
            return found
    for word, name, inner in _built_of(node):
        if word == "properties" and not through_optional and name not in (node.get("required") or ()):
            continue
        if found := _cycle(root, inner, path, through_optional):
            return found
    return []


def _built_of(node: Json) -> Iterator[tuple[str, str, Any]]:
    for name, inner in (node.get("properties") or {}).items():
        yield "properties", name, inner
    for word in _LISTS:
        yield from ((word, "", inner) for inner in node.get(word) or ())
    yield from ((word, "", node.get(word)) for word in ("items", "additionalProperties"))
