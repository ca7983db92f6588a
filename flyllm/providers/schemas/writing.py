"""A JSON schema written anew in the words that a dialect has. Pure: what is given is not changed."""

from collections.abc import Mapping
from typing import Any

from flyllm.providers.schemas.dialect import SchemaDialect
from flyllm.providers.schemas.folding import folded
from flyllm.providers.schemas.limits import excess
from flyllm.providers.schemas.notes import Notes
from flyllm.providers.schemas.objects import Expressed, Inexpressible, write_array, write_object
from flyllm.providers.schemas.refs import Definitions, names_in, reference, separated, target
from flyllm.providers.schemas.unrolling import unrolled
from flyllm.providers.schemas.values import by_type, constrained, with_values
from flyllm.providers.schemas.words import LABELS, Node, members, types

__all__ = ["Inexpressible", "written"]


def written(schema: Mapping[str, Any], dialect: SchemaDialect) -> tuple[Node, tuple[str, ...]]:
    """Return `schema` in this dialect, and what is not said in it any more.

    Raises `Inexpressible` where the dialect could only be strict about something else, and need not be strict.
    """
    root, definitions = separated(schema)
    notes = Notes()
    written_out = not dialect.optional_cycles or definitions.endless()
    if dialect.levels is not None and written_out and any(map(definitions.cycle, definitions)):
        root, definitions = unrolled(root, definitions, dialect.levels)
        notes.change(f"the schema refers to itself: written out to {dialect.levels} levels")
    writer = _Writer(dialect, definitions, notes)
    made = writer.root(root)
    if kept := writer.definitions_of(made):
        made["$defs"] = {name: kept[name] for name in definitions if name in kept}
    if dialect.size is not None and (reason := excess(made, dialect.size)):
        raise Inexpressible(reason)
    return made, tuple(notes.changes)


class _Writer(Expressed):
    def __init__(self, dialect: SchemaDialect, definitions: Definitions, notes: Notes) -> None:
        self.dialect, self.definitions, self.notes = dialect, definitions, notes

    def root(self, given: Any) -> Node:
        """Return the schema of the whole answer, which is no bare reference."""
        whole = self.definitions.resolve(given) if set(given) == {"$ref"} else given
        made = self.node(whole, "$", "")
        if self.dialect.object_root and types(made) != ("object",):
            if self.dialect.on_request:
                raise Inexpressible("the answer is not an object of one kind")
            self.notes.change("the schema: not of an object, which is refused")
        return made

    def definitions_of(self, made: Node) -> dict[str, Node]:
        """Return the definitions that a written schema needs, themselves written."""
        written: dict[str, Node] = {}
        todo = names_in(made)
        while todo:
            name = todo.pop()
            if name not in written:
                where = self.definitions.written_from.get(name, name)
                written[name] = self.node(self.definitions[name], where, name)
                todo += names_in(written[name])
        return written

    def node(self, given: Any, where: str, within: str) -> Node:
        """Return a schema at the path `where` inside the definition `within`."""
        node, told = folded(given, self.dialect, self.definitions, self.notes, where)
        name = target(node)
        if name is not None:
            return reference(name) if not told and len(node) == 1 else self._wrapped(node, told)
        if "anyOf" in node:
            variants = [self.node(variant, where, within) for variant in members(node, "anyOf")]
            made = {**{word: node[word] for word in LABELS if word in node}, "anyOf": variants}
        else:
            made = self._typed(node, told, where, within)
        return self.notes.described(made, told)

    def _wrapped(self, node: Node, told: Node) -> Node:
        # A reference stands alone with most providers; an `anyOf` may have a description.
        labels = {word: value for word, value in node.items() if word in LABELS}
        return self.notes.described({**labels, "anyOf": [{"$ref": node["$ref"]}]}, told)

    def _typed(self, node: Node, told: Node, where: str, within: str) -> Node:
        node = with_values(node, self.dialect, self.notes, told, where)
        named = types(node)
        if "anyOf" in node:
            return {**node, "anyOf": [self.node(variant, where, within) for variant in node["anyOf"]]}
        if not named:
            return self._any(node, told, where)
        if len(named) > 1 and not self.dialect.type_lists:
            labels = {word: node[word] for word in LABELS if word in node}
            return {**labels, "anyOf": [self.node(variant, where, within) for variant in by_type(node)]}
        made = constrained(node, self.dialect, self.notes, told, where)
        if "object" in named:
            made |= write_object(self, node, told, where, within)
        if "array" in named:
            made |= write_array(self, node, told, where, within)
        return made

    def _any(self, node: Node, told: Node, where: str) -> Node:
        labels = {word: node[word] for word in LABELS if word in node}
        for word in node.keys() - LABELS:
            told[word] = node[word]
        if not self.dialect.any_value:
            return labels
        if self.dialect.on_request:
            raise Inexpressible(f"{where} may be any value")
        if "object" not in self.dialect.any_value:
            self.notes.change(f"{where}: any value is taken, only {', '.join(self.dialect.any_value)} can be written")
        return {**labels, "anyOf": [{"type": name} for name in self.dialect.any_value]}
