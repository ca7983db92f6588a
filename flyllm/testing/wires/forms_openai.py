"""What OpenAI and Groq check in `response_format`, in their words.

Sources: developers.openai.com/api/docs/guides/structured-outputs, console.groq.com/docs/structured-outputs; messages as
both answered in 2025 and 2026 (issue 844 of dottxt-ai/outlines, 6484 of vercel/ai, 206 of can1357/oh-my-pi, pull
request 812 of Meridiona/meridian).
"""

import re
from typing import Any

from flyllm.testing.wires import schema_nodes
from flyllm.testing.wires.base import BadRequest, Json
from flyllm.testing.wires.openai_parts import prompt_of
from flyllm.testing.wires.schema_nodes import NUMBERS, SIZES, STRINGS, kinds, nodes, target

_BASE = frozenset({"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf"})
_BASE |= {"$ref", "$defs", "definitions", "description", "title"}
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_MOST_PROPERTIES, _MOST_LEVELS, _MOST_VALUES = 5000, 10, 1000
_NO_SCHEMAS = re.compile(r"^(llama-3|gemma|mixtral|qwen-qwq)")


def check_chat(body: Json) -> None:
    """Raise `BadRequest` where OpenAI's chat completions refuse `response_format`."""
    form = body.get("response_format")
    if isinstance(form, dict):
        _check_kind(form, "response_format", "messages", prompt_of(body.get("messages") or ()))
        if form.get("type") == "json_schema":
            _check_schema(form.get("json_schema"), "response_format.json_schema", "response_format")


def check_responses(body: Json) -> None:
    """Raise `BadRequest` where OpenAI's Responses API refuses `text.format`."""
    form = (body.get("text") or {}).get("format") if isinstance(body.get("text"), dict) else None
    if isinstance(form, dict):
        given = body.get("input")
        said = given if isinstance(given, str) else prompt_of(given or ())
        _check_kind(form, "text.format", "input", said)
        if form.get("type") == "json_schema":
            _check_schema(form, "text.format", "text.format.schema")


def _check_kind(form: Json, name: str, said_in: str, said: str) -> None:
    kind = form.get("type")
    if kind not in ("text", "json_object", "json_schema"):
        words = "'json_object', 'json_schema', and 'text'"
        raise BadRequest(f"Invalid value: '{kind}'. Supported values are: {words}.", f"{name}.type")
    if kind == "json_object" and "json" not in said.lower():
        raise BadRequest(
            f"'{said_in}' must contain the word 'json' in some form, to use '{name}' of type 'json_object'.", said_in
        )


def _check_schema(given: Any, place: str, param: str) -> None:
    if not isinstance(given, dict):
        raise BadRequest(f"Missing required parameter: '{place}'.", place)
    if not given.get("name"):
        raise BadRequest(f"Missing required parameter: '{place}.name'.", f"{place}.name")
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", str(given["name"])):
        wanted = "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        raise BadRequest(f"Invalid '{place}.name': {wanted}", f"{place}.name")
    if given.get("strict") is True:
        found = strict_fault(given.get("schema"))
        if found is not None:
            context, text = found
            raise BadRequest(
                f"Invalid schema for response_format '{given['name']}': In context={context}, {text}", param
            )


def strict_fault(schema: Any) -> tuple[schema_nodes.Place, str] | None:
    """Return the first place where a schema is not one of OpenAI's strict ones, and why."""
    if kinds(schema) != ("object",):
        got = kinds(schema)[0] if kinds(schema) else "None"
        return (), f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{got}\"'."
    if "anyOf" in schema:
        return (), "'anyOf' is not permitted at the root of the schema."
    for place, node in nodes(schema):
        if text := _node_fault(schema, node):
            return place, text
    return _too_large(schema)


def _node_fault(schema: Json, node: Any) -> str | None:
    if not isinstance(node, dict):
        return "schema must have a 'type' key."
    for word in node:
        if word not in _BASE | STRINGS | NUMBERS | SIZES:
            return f"'{word}' is not permitted."
    if "$ref" in node:
        others = set(node) - {"$ref", "$defs", "definitions"}
        if target(schema, node["$ref"]) is None:
            return "reference can only point to definitions defined at the top level of the schema."
        return f"$ref cannot have keywords {others}." if others else None
    if "type" not in node and "anyOf" not in node:
        return "schema must have a 'type' key."
    return _object_fault(node) or _array_fault(node) or _string_fault(node)


def _object_fault(node: Json) -> str | None:
    if "object" not in kinds(node):
        return None
    if node.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false."
    declared, required = node.get("properties") or {}, node.get("required")
    missing = [name for name in declared if name not in (required or ())]
    if missing or (declared and required is None):
        wanted = "'required' is required to be supplied and to be an array including every key in properties."
        return f"{wanted} Missing '{missing[0]}'."
    extra = [name for name in required or () if name not in declared]
    return f"Extra required key '{extra[0]}' supplied." if extra else None


def _array_fault(node: Json) -> str | None:
    return "array schema missing items." if "array" in kinds(node) and not node.get("items") else None


def _string_fault(node: Json) -> str | None:
    if "format" in node and node["format"] not in _FORMATS:
        return f"'{node['format']}' is not a valid format."
    lookaround = re.search(r"\(\?(?!:)", node.get("pattern", ""))
    return "'pattern' has a lookaround, which is not supported." if lookaround else None


def _too_large(schema: Json) -> tuple[schema_nodes.Place, str] | None:
    found = [(place, node) for place, node in nodes(schema) if isinstance(node, dict)]
    counted = sum(len(node.get("properties") or ()) for _, node in found)
    values = sum(len(node.get("enum") or ()) for _, node in found)
    levels = max(place.count("properties") for place, _ in found)
    if counted > _MOST_PROPERTIES:
        return (), f"schema exceeds the limit of {_MOST_PROPERTIES} object properties."
    if values > _MOST_VALUES:
        return (), f"schema exceeds the limit of {_MOST_VALUES} enum values."
    return ((), f"schema exceeds the limit of {_MOST_LEVELS} levels of nesting.") if levels > _MOST_LEVELS else None


def check_groq(body: Json) -> None:
    """Raise `BadRequest` where Groq refuses `response_format`."""
    form = body.get("response_format")
    if not isinstance(form, dict) or form.get("type") == "text":
        return
    _check_kind(form, "response_format", "messages", prompt_of(body.get("messages") or ()))
    if body.get("tools"):
        raise BadRequest("json mode cannot be combined with tool/function calling", "response_format")
    if form["type"] != "json_schema":
        return
    if _NO_SCHEMAS.search(str(body.get("model"))):
        models = "See supported models at https://console.groq.com/docs/structured-outputs#supported-models"
        raise BadRequest(f"This model does not support response format `json_schema`. {models}", "response_format")
    given = form.get("json_schema") or {}
    if not given.get("name"):
        raise BadRequest("response_format.json_schema.name is required", "response_format")
    if given.get("strict") is True and (text := groq_fault(given.get("schema"))):
        raise BadRequest(f"invalid JSON schema for response_format: '{given['name']}': {text}", "response_format")


def groq_fault(schema: Any) -> str | None:
    """Return what Groq says against a strict schema, None where it takes it."""
    if kinds(schema) != ("object",):
        return "/type: the root of the schema must be an object"
    for place, node in nodes(schema):
        where = "".join(f"/{token}" for token in place)
        if not isinstance(node, dict):
            return f"{where}: schema must be an object"
        declared, required = node.get("properties") or {}, node.get("required") or ()
        if "object" in kinds(node) and node.get("additionalProperties") is not False:
            return "`additionalProperties:false` must be set on every object"
        if missing := [name for name in declared if name not in required]:
            return f"{where}/required: The following properties must be listed in `required`: {', '.join(missing)}"
        for word in node:
            if word not in _BASE:
                return f"{where}: {word} is not supported"
        if not node.keys() & {"type", "anyOf", "$ref", "enum", "const"}:
            return f"{where}: schema has no type"
    return None
