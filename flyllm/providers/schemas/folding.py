"""One node of a JSON schema, before it is written: all that holds beside it brought into it.

After that it is either a reference alone, or an `anyOf` alone, or says itself of which type its values are.
"""

from collections.abc import Mapping
from typing import Any

from flyllm.providers.schemas.dialect import SchemaDialect
from flyllm.providers.schemas.merging import Conflict, merged
from flyllm.providers.schemas.notes import Notes
from flyllm.providers.schemas.refs import Definitions, target
from flyllm.providers.schemas.words import CONSTRAINTS, LABELS, STRUCTURE, TOLD, Node, members, type_of, types

_KNOWN = STRUCTURE | CONSTRAINTS | LABELS | {"const", "prefixItems", "additionalItems", "allOf", "oneOf"}
_MOST_PARTS = 100


def folded(given: Any, dialect: SchemaDialect, definitions: Definitions, notes: Notes, where: str) -> tuple[Node, Node]:
    """Return the node, and what of it the description must say. References may have labels beside them."""
    return _Folding(dialect, definitions, notes, where).folded(given)


class _Folding:
    def __init__(self, dialect: SchemaDialect, definitions: Definitions, notes: Notes, where: str) -> None:
        self._dialect, self._definitions, self._notes, self._where = dialect, definitions, notes, where
        self._told: Node = {}

    def folded(self, given: Any) -> tuple[Node, Node]:
        node = self._cleaned(given)
        node = self._with_parts(node)
        node = self._referred(node)
        return self._with_alternatives(node), self._told

    def _cleaned(self, given: Any) -> Node:
        if not isinstance(given, Mapping):
            return {}
        self._told |= {word: given[word] for word in sorted(TOLD) if given.get(word) is not None}
        node = {word: value for word, value in given.items() if word in _KNOWN and self._keeps_label(word)}
        if not isinstance(node.get("description", ""), str):
            del node["description"]
        if not self._definitions.ends(node):
            self._left_out(node, "$ref")
        if "oneOf" in node:
            if "anyOf" in node:
                self._left_out(node, "oneOf")
            else:
                node["anyOf"] = node.pop("oneOf")
        return node

    def _keeps_label(self, word: str) -> bool:
        return word != "title" or self._dialect.keywords is None or "title" in self._dialect.keywords

    def _left_out(self, node: Node, word: str) -> None:
        self._told[word] = node.pop(word)
        self._notes.left_out(word, self._where)

    def _with_parts(self, node: Node) -> Node:
        """Return the node with its `allOf` merged into it."""
        todo = members(node, "allOf")
        node.pop("allOf", None)
        refused = []
        for _ in range(_MOST_PARTS):
            if not todo:
                break
            part = todo.pop(0)
            if target(part) is not None and not node.keys() - LABELS and not todo:
                node = {**self._cleaned(part), **node}
                break
            if self._cyclic(part):
                refused.append(part)
                continue
            clean = self._cleaned(self._definitions.resolve(part))
            todo = members(clean, "allOf") + todo
            clean.pop("allOf", None)
            try:
                node = merged(node, clean)
            except Conflict:
                refused.append(part)
        if refused or todo:
            self._left_out({"allOf": [*refused, *todo]}, "allOf")
        return node

    def _referred(self, node: Node) -> Node:
        """Return the node with its reference alone, with labels, or replaced by what it refers to."""
        if target(node) is None or (len(node) == 1 and not self._told):
            return node
        beside = {word: value for word, value in node.items() if word != "$ref"}
        if self._cyclic(node):  # else its like inside would be replaced in turn, without an end
            for word in beside.keys() - LABELS:
                self._left_out(node, word)
            return node
        body = self._definitions.resolve(node)
        try:
            return self._referred(self._with_parts(merged(beside, self._cleaned(body))))
        except Conflict:
            for word in beside.keys() - LABELS:
                self._left_out(beside, word)
            return self._referred(self._with_parts(merged(beside, self._cleaned(body))))

    def _cyclic(self, node: Any) -> bool:
        name = target(node)
        return name is not None and name in self._definitions and bool(self._definitions.cycle(name))

    def _with_alternatives(self, node: Node) -> Node:
        """Return the node with what stands beside its `anyOf` brought into the alternatives."""
        if not members(node, "anyOf"):
            node.pop("anyOf", None)
            return self._with_type(node)
        node["anyOf"] = [variant for variant in node["anyOf"] if variant is not False] or [{}]
        beside = {word: value for word, value in node.items() if word not in LABELS and word != "anyOf"}
        if not beside:
            return node
        try:
            if self._where == "$" and self._dialect.object_root:
                raise Conflict
            variants = [self._narrowed(variant, beside) for variant in node["anyOf"]]
        except Conflict:
            self._left_out(node, "anyOf")
            return self._with_type(node)
        return {**{word: node[word] for word in LABELS if word in node}, "anyOf": variants}

    def _narrowed(self, variant: Any, beside: Node) -> Any:
        body = self._definitions.resolve(variant)
        named = types(body) if isinstance(body, Mapping) else ()
        if set(beside) == {"type"} and named and set(named) <= set(types(beside)):
            return variant
        if self._cyclic(variant) or (isinstance(body, Mapping) and body.keys() & {"$ref", "allOf", "anyOf", "oneOf"}):
            raise Conflict
        return merged(body, beside)

    def _with_type(self, node: Node) -> Node:
        """Return the node with the type that its other words mean, where it names none."""
        if types(node) or target(node) is not None:
            return node
        node.pop("type", None)
        values = node.get("enum") if isinstance(node.get("enum"), list) else None
        if "const" in node:
            values = [node["const"]]
        if values:
            named = list(dict.fromkeys(map(type_of, values)))
            return {"type": named[0] if len(named) == 1 else named, **node}
        if "properties" in node:
            return {"type": "object", **node}
        return {"type": "array", **node} if "items" in node or "prefixItems" in node else node
