"""A JSON schema in the plainest form: no titles, and references only where a type holds itself.

Of `$ref`, what is understood differs: Ollama's templates show a model only what stands in the place itself.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_TABLES = ("properties", "patternProperties")
_DATA = ("default", "const", "enum", "examples", "required")
_LEFT_OUT = ("title", "discriminator", "$defs")
_PREFIX = "#/$defs/"


def inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return `schema` with its definitions in their places; those that hold themselves stay in `$defs`."""
    definitions = schema.get("$defs", {})
    kept = {name for name in definitions if _holds_itself(name, definitions)}
    plain: dict[str, Any] = _plain(schema, definitions, kept)
    if used := kept & set(_reachable(schema, definitions)):
        plain["$defs"] = {name: _plain(definitions[name], definitions, kept) for name in sorted(used)}
    return plain


def _plain(schema: Any, definitions: Mapping[str, Any], kept: set[str]) -> Any:
    if isinstance(schema, list):
        return [_plain(part, definitions, kept) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    found: dict[str, Any] = {}
    name = _target(schema)
    if name is not None and name not in kept:
        found = _plain(definitions[name], definitions, kept)
        schema = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
    for keyword, value in schema.items():
        if keyword in _DATA:
            found[keyword] = value
        elif keyword in _TABLES:
            found[keyword] = {field: _plain(part, definitions, kept) for field, part in value.items()}
        elif keyword not in _LEFT_OUT:
            found[keyword] = _plain(value, definitions, kept)
    return found


def _holds_itself(name: str, definitions: Mapping[str, Any]) -> bool:
    return name in set(_reachable(definitions[name], definitions))


def _reachable(schema: Any, definitions: Mapping[str, Any]) -> Iterator[str]:
    """Yield the definitions that `schema` refers to, also through others, each once."""
    todo, seen = [schema], set()
    while todo:
        for name in _referred(todo.pop()):
            if name not in seen:
                seen.add(name)
                todo.append(definitions[name])
                yield name


def _referred(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for part in schema:
            yield from _referred(part)
    elif isinstance(schema, Mapping):
        if (name := _target(schema)) is not None:
            yield name
        for keyword, part in schema.items():
            if keyword != "$defs":
                yield from _referred(part)


def _target(schema: Mapping[str, Any]) -> str | None:
    target = schema.get("$ref")
    return target.removeprefix(_PREFIX) if isinstance(target, str) and target.startswith(_PREFIX) else None
