"""Random JSON schemas, and values that they take."""

from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
NAMES = ["a", "b", "minLength", "properties", "$ref", "type", "anyOf", "items"]
"""Property names, of which most could be taken for keywords."""
DEFINED = ["A", "B"]

_labels = st.fixed_dictionaries(
    {},
    optional={"title": st.just("T"), "description": st.just("What it is."), "default": st.sampled_from([None, "x", 3])},
)
strings = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={
        "minLength": st.integers(0, 3),
        "maxLength": st.integers(3, 9),
        "pattern": st.sampled_from(["^[a-z]+$", "[0-9]", r"(?!x)a", r"\bw", "^a|b$", "x{1,200}"]),
        "format": st.sampled_from(["date", "uri", "email", "color"]),
    },
)
numbers = st.fixed_dictionaries(
    {"type": st.sampled_from(["integer", "number"])},
    optional={"minimum": st.integers(0, 3), "exclusiveMaximum": st.just(9), "multipleOf": st.just(1)},
)
values = st.sampled_from(
    [{"enum": ["a", "b"]}, {"enum": ["a", None, 1]}, {"const": True}, {"const": {"a": 1}}, {"enum": [None]}]
)
odd = st.sampled_from(
    [
        {},
        True,
        False,
        {"type": "object"},
        {"type": "array"},
        {"type": ["string", "null"], "maxLength": 3},
        {"not": {"type": "string"}},
        {"minLength": 3},
        {"x-own": 1, "type": "boolean"},
        {"$ref": "https://example.com/other"},
        {"$ref": "#"},
        {"type": "object", "patternProperties": {"^a": {"type": "integer"}}},
        {"if": {"type": "string"}, "then": {"minLength": 2}},
    ]
)
references = st.sampled_from(DEFINED).map(lambda name: {"$ref": f"#/$defs/{name}"})
scalars = st.one_of(strings, numbers, st.sampled_from([{"type": "boolean"}, {"type": "null"}]))


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Objects with declared properties, some of them required."""
    others = st.sampled_from([None, None, None, False, False, True, {"type": "integer"}])
    return st.builds(
        lambda declared, required, other: {
            "type": "object",
            "properties": declared,
            "required": [name for name in required if name in declared],
            **({} if other is None else {"additionalProperties": other}),
        },
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
        st.lists(st.sampled_from(NAMES), unique=True),
        others,
    )


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Lists and tuples."""
    sizes = st.fixed_dictionaries({}, optional={"minItems": st.integers(0, 3), "uniqueItems": st.booleans()})
    lists = st.builds(lambda items, size: {"type": "array", "items": items, **size}, inner, sizes)
    tuples = st.builds(
        lambda items, rest: {"type": "array", "prefixItems": items, "items": rest, "minItems": len(items)},
        st.lists(inner, min_size=1, max_size=3),
        st.sampled_from([False, True, {"type": "string"}]),
    )
    return st.one_of(lists, tuples)


def _composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    parts = st.lists(inner, min_size=1, max_size=3)
    words = st.sampled_from(["anyOf", "oneOf", "allOf"])
    alone = st.builds(lambda word, given: {word: given}, words, parts)
    return st.one_of(alone, st.builds(lambda one, other: {**other, **one}, alone, objects(inner)))


def _labelled(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda node, labels: {**node, **labels} if isinstance(node, dict) else node, inner, _labels)


nodes: st.SearchStrategy[Any] = st.recursive(
    _labelled(st.one_of(scalars, values, references, odd)),
    lambda inner: _labelled(st.one_of(objects(inner), arrays(inner), _composed(inner))),
    max_leaves=8,
)
schemas: st.SearchStrategy[Json] = st.builds(
    lambda root, one, other: {**root, "additionalProperties": False, "$defs": {"A": one, "B": other}},
    objects(nodes),
    nodes,
    nodes,
)
"""Schemas of objects, with two definitions that may refer to each other."""

tame: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.just({"type": "string", "minLength": 2, "pattern": "^[a-z]+$"}),
        st.just({"type": "string", "format": "date"}),
        st.just({"type": "integer", "minimum": 2, "multipleOf": 2}),
        st.just({"enum": ["a", None]}),
        st.just({"const": "c"}),
        st.just({"type": ["number", "null"]}),
        st.just({"$ref": "#/$defs/Leaf", "description": "A leaf."}),
    ),
    lambda inner: st.one_of(
        st.builds(
            lambda declared: {"type": "object", "properties": declared, "required": list(declared)[:1]},
            st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=3),
        ),
        st.builds(lambda items: {"type": "array", "items": items, "minItems": 2, "maxItems": 3}, inner),
        st.builds(lambda one, other: {"anyOf": [one, other]}, inner, inner),
        st.builds(lambda one: {"allOf": [one], "title": "T"}, inner),
        st.builds(
            lambda items: {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)},
            st.lists(inner, min_size=1, max_size=3),
        ),
    ),
    max_leaves=6,
)
"""Schemas whose values can be made up: closed, without recursion."""
LEAF = {"type": "object", "properties": {"leaf": {"type": "boolean"}}, "required": ["leaf"]}


def value_of(schema: Any, draw: st.DrawFn) -> Any:
    """Return a value that a tame schema takes, with every property."""
    if "$ref" in schema:
        return {"leaf": draw(st.booleans())}
    if "allOf" in schema:
        return value_of(schema["allOf"][0], draw)
    if "anyOf" in schema:
        return value_of(draw(st.sampled_from(schema["anyOf"])), draw)
    if "enum" in schema or "const" in schema:
        return draw(st.sampled_from(schema.get("enum", [schema.get("const")])))
    if "prefixItems" in schema:
        return [value_of(item, draw) for item in schema["prefixItems"]]
    if schema["type"] == "object":
        return {name: value_of(inner, draw) for name, inner in schema["properties"].items()}
    if schema["type"] == "array":
        return [value_of(schema["items"], draw) for _ in range(draw(st.integers(2, 3)))]
    if schema["type"] == "string":
        return "2026-11-23" if "format" in schema else draw(st.sampled_from(["ab", "xyz"]))
    return draw(st.sampled_from([2, 4])) if schema["type"] == "integer" else draw(st.sampled_from([None, 1.5]))
