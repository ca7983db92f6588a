"""Asking for a schema in a dialect, for tests of what becomes of it."""

from typing import Any

from flyllm.providers.schemas import dialects
from flyllm.providers.schemas.adapting import adapted
from flyllm.providers.schemas.dialect import Adapted, SchemaDialect

Json = dict[str, Any]
TREE: Json = {
    "type": "object",
    "properties": {"tree": {"$ref": "#/$defs/Tree"}},
    "required": ["tree"],
    "$defs": {
        "Tree": {
            "type": "object",
            "properties": {"left": {"anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}]}},
            "required": ["left"],
        }
    },
}


def form(schema: Any, **fields: Any) -> Json:
    return {"type": "json_schema", "json_schema": {"name": "it", "strict": True, "schema": schema, **fields}}


def of(name: str, schema: Any, model: str = "openai/gpt-oss-20b") -> Adapted:
    return adapted(form(schema), dialect(name), model)


def dialect(name: str) -> SchemaDialect:
    found: SchemaDialect = getattr(dialects, name)
    return found


def field(name: str, node: Any, *, required: bool = True, **others: Any) -> tuple[Any, tuple[str, ...]]:
    """Return what becomes of a property `it`, and what is told of it."""
    schema = {"type": "object", "properties": {"it": node}, "required": ["it"] if required else [], **others}
    made = of(name, schema)
    return made.response_format["json_schema"]["schema"]["properties"]["it"], made.changes
