"""What users give as `response_format`, as a `Form`. Each is read once: a batch has the same one a million times."""

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from flyllm.errors import ConfigError
from flyllm.structured.form import Form, Reader
from flyllm.structured.plain_json import read_object

KEPT = 256
"""Forms that are remembered."""

_SCHEMA_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})


def read_form(given: Any) -> Form | None:
    """Return the form; None where none is wanted. Raises ConfigError for what is no form."""
    if given is None:
        return None
    if isinstance(given, Mapping):
        return _of_dict(given)
    if isinstance(given, str | bytes | int | float | list | tuple | set):
        raise ConfigError(f"response_format must be a pydantic model, a type or a dict, not {type(given).__name__}")
    try:
        hash(given)
    except TypeError:
        return _of_type.__wrapped__(given)
    return _of_type(given)


def _of_dict(given: Mapping[str, Any]) -> Form:
    kind = given.get("type")
    if kind == "json_object":
        return Form(given, read_object)
    try:
        text = json.dumps(given, allow_nan=False)  # in its own order, in which models write the properties
    except (TypeError, ValueError, RecursionError) as exc:
        raise ConfigError(f"response_format is not JSON: {exc}") from None
    if not isinstance(kind, str) or kind in _SCHEMA_TYPES:
        return _of_schema(text)
    return _of_json_schema(text) if kind == "json_schema" else Form(given, None)


@lru_cache(KEPT)
def _of_schema(text: str) -> Form:
    schema = json.loads(text)
    name = _name(schema.get("title"))
    return Form(_response_format(name, schema, description=None), _reader(schema))


@lru_cache(KEPT)
def _of_json_schema(text: str) -> Form:
    given = json.loads(text)
    inner = given.get("json_schema")
    schema = inner.get("schema") if isinstance(inner, dict) else given.get("schema")
    if not isinstance(schema, dict):
        raise ConfigError("response_format of type json_schema has no schema: give it as json_schema.schema")
    named = {"name": "answer", **(inner if isinstance(inner, dict) else {}), "schema": schema}
    return Form({"type": "json_schema", "json_schema": named}, _reader(schema))


@lru_cache(KEPT)
def _of_type(given: Any) -> Form:
    typed = import_module("flyllm.structured.typed").TypedReader(given)
    schema = typed.schema
    description = schema.pop("description", None)
    return Form(_response_format(_name(schema.get("title")), schema, description), typed)


def _reader(schema: Mapping[str, Any]) -> Reader:
    reader: Reader = import_module("flyllm.structured.by_schema").SchemaReader(schema)
    return reader


def _response_format(name: str, schema: Mapping[str, Any], description: str | None) -> dict[str, Any]:
    told = {"description": description} if description else {}
    return {"type": "json_schema", "json_schema": {"name": name, **told, "schema": schema, "strict": True}}


def _name(title: Any) -> str:
    # What OpenAI takes: letters, digits, _ and -, at most 64.
    made = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in str(title or ""))[:64].strip("_")
    return made or "answer"
