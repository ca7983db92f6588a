"""JSON schemas as a provider takes them: the entry to the adaptation.

An answer is held against the user's own schema in any case, so that what a provider cannot take may be left out for
it; the model is told of it in the description beside. What a provider enforces is then less, never something else.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flyllm.providers.payload import mapping
from flyllm.providers.schemas.dialect import Adapted, SchemaDialect
from flyllm.providers.schemas.writing import Inexpressible, written

NAME = "answer"
"""What a schema is called that has no name; chat completions wants one."""


def adapted(response_format: Mapping[str, Any], dialect: SchemaDialect | None, model: str) -> Adapted:
    """Return `response_format` as a provider of this `dialect` takes it for `model`; unchanged where it is None.

    The schema that is given is never changed itself. `changes` are sentences about what the provider will not enforce
    or asks beyond the schema; what means the same in other words is not among them.
    """
    inner = mapping(response_format.get("json_schema")) or {
        name: value for name, value in response_format.items() if name != "type"
    }
    schema = inner.get("schema")
    if dialect is None or response_format.get("type") != "json_schema" or not isinstance(schema, Mapping):
        return Adapted(response_format, ())
    asked = {**inner, "name": _name(inner.get("name"))}
    try:
        made, changes = _fitted(asked, schema, dialect, model)
    except RecursionError:
        made, changes = asked, ("the schema: nested too deeply to be adapted",)
    return Adapted({"type": "json_schema", "json_schema": made}, changes)


def _fitted(
    asked: Mapping[str, Any], schema: Mapping[str, Any], dialect: SchemaDialect, model: str
) -> tuple[dict[str, Any], tuple[str, ...]]:
    if dialect.keywords is None or (dialect.on_request and asked.get("strict") is not True):
        return dict(asked), ()
    if dialect.enforcing is not None and not re.search(dialect.enforcing, model):
        return {**asked, "strict": False}, (f"strict: not asked for, as {model} enforces no schema",)
    if model.startswith("ft:"):
        dialect = replace(dialect, keywords=dialect.keywords - dialect.tuned)
    try:
        made, changes = written(schema, dialect)
    except Inexpressible as reason:
        return {**asked, "strict": False}, (f"strict: not asked for, as {reason}",)
    return {**asked, "schema": made}, changes


def _name(given: Any) -> str:
    made = re.sub(r"[^a-zA-Z0-9_-]", "_", given)[:64] if isinstance(given, str) else ""
    return made or NAME
