"""Objects and arrays of a schema in a dialect's words."""

from collections.abc import Mapping
from typing import Any

from flyllm.providers.schemas.dialect import SchemaDialect
from flyllm.providers.schemas.notes import Notes
from flyllm.providers.schemas.refs import Definitions, names_in
from flyllm.providers.schemas.words import Node, members, properties, required, types


class Inexpressible(Exception):  # noqa: N818 - an answer, not an error
    """The dialect has no words for a schema; the text says for which part of it."""


class Expressed:
    """What writes a schema: the parts of an object or array are written by it in turn."""

    dialect: SchemaDialect
    definitions: Definitions
    notes: Notes

    def node(self, given: Any, where: str, within: str) -> Node:
        """Return a schema at the path `where` inside the definition `within`."""
        raise NotImplementedError


def write_object(writer: Expressed, node: Node, told: Node, where: str, within: str) -> Node:
    """Return what a schema says of objects."""
    declared = {name: inner for name, inner in properties(node).items() if inner is not False}
    made: Node = {}
    if declared or writer.dialect.closed:
        made["properties"] = {name: writer.node(inner, f"{where}.{name}", within) for name, inner in declared.items()}
    names = _required(writer, node, made.get("properties", {}), told, where, within)
    if names or writer.dialect.all_required:
        made["required"] = names
    return made | _others(writer, node, bool(declared), told, where, within)


def _required(
    writer: Expressed, node: Node, written: Mapping[str, Node], told: Node, where: str, within: str
) -> list[str]:
    dialect, asked = writer.dialect, required(node)
    names = [name for name in asked if name in written or not dialect.closed]
    if dialect.all_required:
        free = [name for name in written if name not in names and not _takes_null(writer.definitions, written[name])]
        if free:
            writer.notes.change(f"{', '.join(free)} of {where}: always asked for, as no property may be optional")
        return list(written)
    if dialect.optional_cycles and within:
        cycle = writer.definitions.cycle(within)
        kept = [name for name in names if not cycle.intersection(names_in(written.get(name)))]
        if kept != names:
            told["required"] = [name for name in names if name not in kept]
            writer.notes.left_out("required", where)
        return kept
    if dialect.some_required and written and not names:
        first = next(iter(written))
        writer.notes.change(f"{first} of {where}: always asked for, as one property must be")
        return [first]
    return names


def _takes_null(definitions: Definitions, node: Any, depth: int = 0) -> bool:
    body = definitions.resolve(node)
    if not isinstance(body, Mapping) or depth > len(definitions):
        return False
    return "null" in types(body) or any(_takes_null(definitions, each, depth + 1) for each in members(body, "anyOf"))


def _others(writer: Expressed, node: Node, declared: bool, told: Node, where: str, within: str) -> Node:
    """Return what is said of properties that are not declared."""
    others = node.get("additionalProperties", None)
    if not writer.dialect.closed:
        if isinstance(others, Mapping):
            return {"additionalProperties": writer.node(others, f"{where}.*", within)}
        return {"additionalProperties": others} if isinstance(others, bool) else {}
    wanted = others if isinstance(others, Mapping) or others is True else node.get("patternProperties")
    if wanted or isinstance(others, Mapping) or (others is None and "properties" not in node):
        if writer.dialect.on_request:
            raise Inexpressible(f"{where} may have any keys")
        if isinstance(others, Mapping | bool):
            told["additionalProperties"] = others
        writer.notes.change(f"{where}: only declared keys can be written" + ("" if declared else ", it will be empty"))
    return {"additionalProperties": False}


def write_array(writer: Expressed, node: Node, told: Node, where: str, within: str) -> Node:
    """Return what a schema says of arrays."""
    first = members(node, "prefixItems") or members(node, "items")
    rest = node.get("items") if "prefixItems" in node else node.get("additionalItems")
    if first:
        return _tuple(writer, first, rest, node, told, where, within)
    items = node.get("items")
    if isinstance(items, Mapping):
        return {"items": writer.node(items, f"{where}[]", within)}
    # Arrays of any items are refused where objects of any keys are.
    return {"items": writer.node({}, f"{where}[]", within)} if writer.dialect.closed else {}


def _tuple(writer: Expressed, first: list[Any], rest: Any, node: Node, told: Node, where: str, within: str) -> Node:
    dialect = writer.dialect
    written = [writer.node(item, f"{where}[{n}]", within) for n, item in enumerate(first)]
    more = [writer.node(rest, f"{where}[]", within)] if isinstance(rest, Mapping) else []
    if "prefixItems" in (dialect.keywords or ()):
        return {"prefixItems": written, **({"items": more[0]} if more else {})}
    variants: list[Node] = []
    for item in (*written, *more):
        if item not in variants:
            variants.append(item)
    if len(variants) > 1:
        told["prefixItems"] = first
        writer.notes.left_out("the order of items", where)
    made: Node = {"items": variants[0] if len(variants) == 1 else {"anyOf": variants}}
    if rest is False and "maxItems" not in node and "maxItems" in (dialect.keywords or ()):
        made["maxItems"] = len(first)
    return made
