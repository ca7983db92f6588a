"""The keywords of JSON Schema by what they do, and the types of values. Drafts 7 to 2020-12.

Source: json-schema.org/draft/2020-12/json-schema-validation.
"""

from collections.abc import Mapping
from typing import Any

Node = dict[str, Any]

STRUCTURE = frozenset({"type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "$ref"})
"""What every provider takes that takes schemas."""
STRINGS = frozenset({"minLength", "maxLength", "pattern", "format"})
RANGES = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
NUMBERS = RANGES | {"multipleOf"}
SIZES = frozenset({"minItems", "maxItems"})
LABELS = frozenset({"title", "description"})
TOLD = frozenset({"default", "examples"})
"""No constraints, but worth telling a model."""

_CONDITIONS = {"if", "then", "else", "not", "dependencies"}
_OBJECTS = frozenset({"minProperties", "maxProperties", "patternProperties", "propertyNames", "unevaluatedProperties"})
_DEPENDENCIES = {"dependentRequired", "dependentSchemas"}
_ARRAYS = {"uniqueItems", "contains", "minContains", "maxContains", "unevaluatedItems"}
_CONTENTS = {"contentEncoding", "contentMediaType", "contentSchema"}
CONSTRAINTS = STRINGS | NUMBERS | SIZES | _CONDITIONS | _DEPENDENCIES | _OBJECTS | _ARRAYS | _CONTENTS
"""What makes values invalid, but says nothing of how they are built up."""

SCALARS = ("string", "number", "boolean", "null")
TYPES = (*SCALARS, "integer", "array", "object")
OF_TYPE: Mapping[str, frozenset[str]] = {
    "string": STRINGS,
    "number": NUMBERS,
    "integer": NUMBERS,
    "array": SIZES | _ARRAYS | {"items", "prefixItems", "additionalItems"},
    "object": frozenset(_OBJECTS)
    | {"properties", "required", "additionalProperties", "dependentRequired", "dependentSchemas"},
}
"""What says something only of values of one type."""


def type_of(value: Any) -> str:
    """Return the JSON type of a value; "integer" for whole numbers."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    for kind, name in ((str, "string"), (int, "integer"), (float, "number"), (list | tuple, "array")):
        if isinstance(value, kind):
            return name
    return "object"


def types(node: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the types that a schema names, () where it names none."""
    given = node.get("type")
    named = given if isinstance(given, list | tuple) else [given]
    return tuple(dict.fromkeys(name for name in named if isinstance(name, str) and name in TYPES))


def properties(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the declared properties of a schema."""
    given = node.get("properties")
    return {str(name): inner for name, inner in given.items()} if isinstance(given, Mapping) else {}


def required(node: Mapping[str, Any]) -> list[str]:
    """Return the names that a schema requires."""
    given = node.get("required")
    return list(dict.fromkeys(filter(_is_text, given))) if isinstance(given, list | tuple) else []


def members(node: Mapping[str, Any], keyword: str) -> list[Any]:
    """Return the schemas in a list like `anyOf`."""
    given = node.get(keyword)
    return list(given) if isinstance(given, list | tuple) else []


def inner_schemas(node: Mapping[str, Any]) -> list[Any]:
    """Return what a schema's values are built up from: the schemas of properties, items and alternatives."""
    lists = (members(node, word) for word in ("anyOf", "oneOf", "allOf", "prefixItems", "items"))
    singles = [node[word] for word in ("items", "additionalProperties") if isinstance(node.get(word), Mapping)]
    return [*properties(node).values(), *singles, *(inner for found in lists for inner in found)]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
