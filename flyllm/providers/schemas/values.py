"""Values and constraints of a node: enumerations, strings, numbers and sizes in a dialect's words."""

from typing import Any

from flyllm.providers.schemas.dialect import SchemaDialect
from flyllm.providers.schemas.notes import Notes
from flyllm.providers.schemas.words import CONSTRAINTS, LABELS, OF_TYPE, RANGES, Node, type_of, types

_ALL_OF_TYPES = frozenset().union(*OF_TYPE.values())


def with_values(node: Node, dialect: SchemaDialect, notes: Notes, told: Node, where: str) -> Node:
    """Return the node with `enum` and `const` as they are taken, null beside other values as an alternative."""
    node = dict(node)
    keywords = dialect.keywords or frozenset()
    if "const" in node and "const" not in keywords:
        node["enum"] = [node.pop("const")]
    for word in ("enum", "const"):
        if word not in node:
            continue
        values = node[word] if word == "enum" else [node[word]]
        if not isinstance(values, list) or not values:
            del node[word]
        elif not {type_of(value) for value in values} <= dialect.values:
            return (
                _split(node, values, dialect, notes, told, where) if word == "enum" else _out(node, notes, told, where)
            )
    return node


def _split(node: Node, values: list[Any], dialect: SchemaDialect, notes: Notes, told: Node, where: str) -> Node:
    if values == [None]:
        return {**{word: node[word] for word in LABELS if word in node}, "type": "null"}
    others = [value for value in values if value is not None]
    if len(others) == len(values) or not {type_of(value) for value in others} <= dialect.values:
        return _out(node, notes, told, where)
    kinds = [name for name in types(node) if name != "null"]
    labels = {word: node[word] for word in LABELS if word in node}
    rest = {word: value for word, value in node.items() if word not in LABELS}
    first = {**rest, "type": kinds[0] if len(kinds) == 1 else kinds, "enum": others}
    return {**labels, "anyOf": [first, {"type": "null"}]}


def _out(node: Node, notes: Notes, told: Node, where: str) -> Node:
    for word in ("enum", "const"):
        if word in node:
            told[word] = node.pop(word)
            notes.left_out(word, where)
    return node


def by_type(node: Node) -> list[Node]:
    """Return a schema for each type that the node names, with those of its values that are of it."""
    made = []
    for name in types(node):
        one: Node = {word: value for word, value in node.items() if word not in LABELS} | {"type": name}
        if isinstance(one.get("enum"), list):
            one["enum"] = [value for value in one["enum"] if _is_a(value, name)]
            if not one["enum"]:
                continue
        if "const" not in one or _is_a(one["const"], name):
            made.append(one)
    return made or [{"type": name} for name in types(node)]


def _is_a(value: Any, name: str) -> bool:
    return type_of(value) == name or (name == "number" and type_of(value) == "integer")


def constrained(node: Node, dialect: SchemaDialect, notes: Notes, told: Node, where: str) -> Node:
    """Return all of the node but what it is built up from: labels, type, values and the constraints that are taken."""
    meant = frozenset().union(*(OF_TYPE.get(name, frozenset()) for name in types(node)))
    made: Node = {}
    for word, value in node.items():
        if word in LABELS or word in ("type", "enum", "const"):
            made[word] = list(value) if word == "type" and isinstance(value, tuple) else value
        elif word in CONSTRAINTS and (word in meant or word not in _ALL_OF_TYPES) and not _moot(word, node, dialect):
            made |= _taken(word, value, node, dialect)
            if made.get(word) != value:
                told[word] = value
                if word not in made or word == "minItems":
                    notes.left_out(word, where)
    return made


def _moot(word: str, node: Node, dialect: SchemaDialect) -> bool:
    return word in ("unevaluatedProperties", "unevaluatedItems") or (word == "uniqueItems" and not node[word])


def _taken(word: str, value: Any, node: Node, dialect: SchemaDialect) -> Node:
    if word not in (dialect.keywords or ()):
        return {}
    if word == "format":
        return {word: value} if dialect.formats is None or value in dialect.formats else {}
    if word == "pattern":
        pattern = dialect.pattern(value) if dialect.pattern is not None and isinstance(value, str) else value
        return {} if pattern is None else {word: pattern}
    if word in RANGES and not dialect.float_ranges and (types(node) != ("integer",) or not isinstance(value, int)):
        return {}
    if word == "minItems" and dialect.most_min_items is not None and isinstance(value, int):
        return {word: min(value, dialect.most_min_items)}
    return {word: value}
