"""Schemas that refer to themselves, written out to a number of levels for providers that take no such schemas.

Google describes the same of its own API: "cyclic references are unrolled to a limited degree". Each level is a
definition of its own, so that the schema grows by the levels and not by their powers. At the last one a list is to
be empty, an optional property is left out and anything else is null.
"""

from collections.abc import Mapping
from typing import Any

from flyllm.providers.schemas.refs import Definitions, reference, target
from flyllm.providers.schemas.words import Node, members, properties, required

_END = "end"
NOTHING: Node = {"type": "null"}
EMPTY = "must be empty: no deeper level can be written here"


def unrolled(root: Any, definitions: Definitions, levels: int) -> tuple[Any, Definitions]:
    """Return a schema and its definitions without cycles."""
    unrolling = _Unrolling(definitions, levels)
    return unrolling.written(root, "", 0), unrolling.made


class _Unrolling:
    def __init__(self, definitions: Definitions, levels: int) -> None:
        self._definitions, self._levels = definitions, levels
        self._cycles = {name: definitions.cycle(name) for name in definitions}
        self.made = Definitions()

    def written(self, node: Any, within: str, level: int) -> Any:
        written = self._written(node, within, level)
        return NOTHING if written is _END else written

    def _written(self, node: Any, within: str, level: int) -> Any:
        if not isinstance(node, Mapping):
            return node
        made: Node = dict(node)
        name = target(node)
        if name in self._definitions and name is not None:
            if (deeper := self._reference(name, within, level)) is _END:
                return _END
            made |= deeper
        for word in ("anyOf", "oneOf", "allOf"):
            if word in node:
                parts = [self._written(part, within, level) for part in members(node, word)]
                made[word] = [part for part in parts if part is not _END]
                if parts and (not made[word] or (word == "allOf" and len(made[word]) < len(parts))):
                    return _END
        self._array(node, made, within, level)
        self._object(node, made, within, level)
        return made

    def _array(self, node: Mapping[str, Any], made: Node, within: str, level: int) -> None:
        for word in ("prefixItems", "items"):
            if isinstance(node.get(word), list | tuple):
                made[word] = [self.written(part, within, level) for part in members(node, word)]
        if isinstance(node.get("items"), Mapping):
            items = self._written(node["items"], within, level)
            made["items"] = {**NOTHING, "description": EMPTY} if items is _END else items

    def _object(self, node: Mapping[str, Any], made: Node, within: str, level: int) -> None:
        if isinstance(node.get("properties"), Mapping):
            written = {name: self._written(inner, within, level) for name, inner in properties(node).items()}
            always = set(required(node))
            made["properties"] = {
                name: NOTHING if inner is _END else inner
                for name, inner in written.items()
                if inner is not _END or name in always
            }
        if isinstance(node.get("additionalProperties"), Mapping):
            values = self._written(node["additionalProperties"], within, level)
            made["additionalProperties"] = False if values is _END else values

    def _reference(self, name: str, within: str, level: int) -> Any:
        deeper = level + 1 if within in self._cycles[name] else 1
        if deeper > self._levels:
            return _END
        called = self._name(name, deeper)
        if called not in self.made:
            self.made[called], self.made.written_from[called] = {}, name
            self.made[called] = self.written(self._definitions[name], name, deeper)
        return reference(called)

    def _name(self, name: str, level: int) -> str:
        called = name if level == 1 else f"{name}_{level}"
        while level > 1 and called in self._definitions:
            called += "_"
        return called
