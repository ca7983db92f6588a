"""How large a schema is, for a provider that sets limits to it."""

from collections.abc import Iterator, Mapping
from typing import Any

from flyllm.providers.schemas.words import Node, inner_schemas, members, properties


def excess(schema: Node, size: tuple[int, int, int, int]) -> str | None:
    """Return in what a schema is larger than the most properties, levels, enum values and characters of names."""
    nodes = list(_nodes(schema, 0))
    named = [name for node, _ in nodes for name in properties(node)]
    values = [
        value for node, _ in nodes for value in [*members(node, "enum"), *([node["const"]] if "const" in node else [])]
    ]
    texts = [*named, *schema.get("$defs", {}), *(value for value in values if isinstance(value, str))]
    counted = (len(named), max(level for _, level in nodes), len(values), sum(map(len, texts)))
    words = ("properties", "levels of objects", "enum values", "characters of names and values")
    return next(
        (
            f"it has {got} {word}, more than {most}"
            for got, most, word in zip(counted, size, words, strict=True)
            if got > most
        ),
        None,
    )


def _nodes(node: Any, level: int) -> Iterator[tuple[Mapping[str, Any], int]]:
    if not isinstance(node, Mapping):
        return
    level += "properties" in node
    yield node, level
    for inner in inner_schemas(node):
        yield from _nodes(inner, level)
    for inner in node.get("$defs", {}).values():
        yield from _nodes(inner, 0)
