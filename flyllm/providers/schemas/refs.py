"""The references of a JSON schema: every one made to point at a named definition, and which of them are cycles."""

from collections.abc import Mapping
from itertools import count
from typing import Any
from urllib.parse import unquote

from flyllm.providers.schemas.words import Node, inner_schemas

PREFIX = "#/$defs/"
_KEPT_IN_PLACE = ("$defs", "definitions")


class Definitions(dict[str, Any]):
    """Named schemas, whose references all read `#/$defs/<name>`, with what depends on their graph."""

    def __init__(self, given: Mapping[str, Any] | None = None) -> None:
        super().__init__(given or {})
        self._cycles: dict[str, frozenset[str]] = {}
        self.written_from: dict[str, str] = {}
        """Of definitions that are levels of another one: its name, by theirs."""

    def resolve(self, node: Any) -> Any:
        """Return what a chain of references ends in; {} where it ends nowhere."""
        for _ in range(len(self) + 1):
            name = target(node)
            if name is None:
                return node
            node = self.get(name, {})
        return {}

    def ends(self, node: Any) -> bool:
        """Tell whether a chain of references leads to a schema, and not out of this one or in a circle."""
        for _ in range(len(self) + 1):
            if not isinstance(node, Mapping) or "$ref" not in node:
                return True
            node = self.get(target(node) or "", {"$ref": ""})
        return False

    def reached(self, node: Any) -> dict[str, None]:
        """Return the names that `node` refers to, itself or through others, in the order in which they are met."""
        found: dict[str, None] = {}
        todo = names_in(node)
        while todo:
            name = todo.pop(0)
            if name not in found and name in self:
                found[name] = None
                todo += names_in(self[name])
        return found

    def cycle(self, name: str) -> frozenset[str]:
        """Return the names on cycles through `name`, none where there is no cycle."""
        if name not in self._cycles:
            reached = self.reached(self[name])
            self._cycles[name] = frozenset(other for other in reached if name in self.reached(self[other]))
        return self._cycles[name]

    def endless(self) -> bool:
        """Tell whether a cycle passes no property, which could be left out to end it: lists of lists, say."""
        direct = {name: names_in(node, declared=False) for name, node in self.items()}
        graph = Definitions({name: {"anyOf": [reference(other) for other in names]} for name, names in direct.items()})
        return any(map(graph.cycle, graph))


def target(node: Any) -> str | None:
    """Return the name of the definition that a schema refers to, None for a schema that refers to none."""
    reference = node.get("$ref") if isinstance(node, Mapping) else None
    return unescaped(reference[len(PREFIX) :]) if isinstance(reference, str) and reference.startswith(PREFIX) else None


def reference(name: str) -> Node:
    """Return a schema that refers to a definition."""
    return {"$ref": PREFIX + name.replace("~", "~0").replace("/", "~1")}


def unescaped(token: str) -> str:
    """Return the name in a part of a JSON pointer."""
    return unquote(token).replace("~1", "/").replace("~0", "~")


def separated(schema: Mapping[str, Any]) -> tuple[Node, Definitions]:
    """Return a schema without its definitions, and these: of whatever is referred to, wherever it stands.

    A reference that points nowhere, or out of the schema, stays as it is.
    """
    found = Definitions()
    return _Separation(schema, found).rewritten(schema), found


class _Separation:
    def __init__(self, root: Mapping[str, Any], found: Definitions) -> None:
        self._root, self._found = root, found
        self._names: dict[str, str] = {}

    def rewritten(self, node: Any) -> Any:
        if not isinstance(node, Mapping):
            return node
        made: Node = {}
        for word, value in node.items():
            if word in _KEPT_IN_PLACE:
                continue
            if word == "properties" and isinstance(value, Mapping):
                made[word] = {name: self.rewritten(inner) for name, inner in value.items()}
            elif word in ("items", "additionalProperties") and isinstance(value, Mapping):
                made[word] = self.rewritten(value)
            elif word in ("anyOf", "oneOf", "allOf", "prefixItems", "items") and isinstance(value, list | tuple):
                made[word] = [self.rewritten(inner) for inner in value]
            else:
                made[word] = value
        if isinstance(node.get("$ref"), str):
            made["$ref"] = self._pointed(node["$ref"])
        return made

    def _pointed(self, given: str) -> str:
        if given not in self._names:
            path = [unescaped(token) for token in given[1:].split("/")[1:]]
            node = _at(self._root, path) if given == "#" or given.startswith("#/") else None
            if not isinstance(node, Mapping | bool):
                return given
            name = self._names[given] = self._free(path[-1] if path else "Root")
            self._found[name] = {}  # taken, should it refer to itself
            self._found[name] = self.rewritten(node)
        return str(reference(self._names[given])["$ref"])

    def _free(self, wanted: str) -> str:
        names = (f"{wanted}_{n}" if n > 1 else wanted for n in count(1))
        return next(name for name in names if name not in self._found)


def _at(node: Any, path: list[str]) -> Any:
    for token in path:
        if isinstance(node, Mapping):
            node = node.get(token)
        elif isinstance(node, list | tuple) and token.isdecimal() and int(token) < len(node):
            node = node[int(token)]
        else:
            return None
    return node


def names_in(node: Any, *, declared: bool = True) -> list[str]:
    """Return the names of the definitions that a schema refers to itself; without `declared`, not in properties."""
    if not isinstance(node, Mapping):
        return []
    own = target(node)
    inner = inner_schemas(node if declared else {**node, "properties": None})
    names = [name for schema in inner for name in names_in(schema, declared=declared)]
    return [*([own] if own is not None else []), *names]
