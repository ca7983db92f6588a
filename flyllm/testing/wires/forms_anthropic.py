"""What Anthropic checks in `output_config.format`, in its words.

Sources: platform.claude.com/docs/en/build-with-claude/structured-outputs (JSON schema limitations); messages as the API
answered in 2025 and 2026 (issue 35808 of BerriAI/litellm, 487 of egonSchiele/agency-lang, 93 of
ghostlobster/memorize-everything, 12876 of vercel/ai).
"""

import re
from typing import Any

from flyllm.testing.wires.base import BadRequest, Json
from flyllm.testing.wires.schema_nodes import CONDITIONS, NUMBERS, SIZES, STRINGS, cycle, kinds, nodes, target

_WHERE = "output_config.format.schema"
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
_KINDS = ("object", "array", "string", "integer", "number", "boolean", "null")
_REFUSED = CONDITIONS | NUMBERS | SIZES | STRINGS | {"prefixItems"}
_TAKEN = {"minItems", "format", "pattern"}


def check_output(body: Json) -> None:
    """Raise `BadRequest` where the Messages API refuses a format of the answer."""
    config = body.get("output_config")
    form = config.get("format") if isinstance(config, dict) else None
    if not isinstance(form, dict):
        return
    if form.get("type") != "json_schema":
        raise BadRequest("output_config.format.type: Input should be 'json_schema'", "output_config")
    for name in form.keys() - {"type", "schema"}:
        raise BadRequest(f"output_config.format.{name}: Extra inputs are not permitted", "output_config")
    if not isinstance(form.get("schema"), dict):
        raise BadRequest(f"{_WHERE}: Field required", "output_config")
    if text := fault(form["schema"]):
        raise BadRequest(f"{_WHERE}: {text}", "output_config")


def fault(schema: Json) -> str | None:
    """Return what Anthropic says against a schema, None where it takes it."""
    if around := cycle(schema):
        names = " -> ".join(reference.rsplit("/", 1)[-1] for reference in around)
        refused = "Self-referencing or mutually-referencing definitions are not supported."
        return f"Circular reference detected in schema definitions: {names}. {refused}"
    return next((text for _, node in nodes(schema) if (text := _node_fault(schema, node))), None)


def _node_fault(schema: Json, node: Any) -> str | None:
    if not isinstance(node, dict):
        return "Invalid schema: Schema type is missing"
    if "$ref" in node:
        return None if target(schema, node["$ref"]) is not None else f"Invalid reference: {node['$ref']}"
    if "oneOf" in node:
        return "Schema type 'oneOf' is not supported"
    if any("$ref" in part for part in node.get("allOf") or () if isinstance(part, dict)):
        return "'allOf' with '$ref' is not supported"
    if not node.keys() & {"type", "anyOf", "allOf", "enum", "const"}:
        return "Invalid schema: Schema type is missing"
    if unknown := [kind for kind in kinds(node) if kind not in _KINDS]:
        return f"Invalid schema: Schema type '{unknown[0]}' is not supported"
    return _words_fault(node) or _values_fault(node) or _object_fault(node) or _string_fault(node)


def _words_fault(node: Json) -> str | None:
    kind = kinds(node)[0] if kinds(node) else "anyOf"
    refused = sorted(word for word in node if word in _REFUSED - _TAKEN)
    if len(refused) > 1:
        return f"For '{kind}' type, properties {', '.join(refused)} are not supported"
    if refused:
        return f"For '{kind}' type, property '{refused[0]}' is not supported"
    if node.get("minItems", 0) not in (0, 1):
        return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    return None


def _values_fault(node: Json) -> str | None:
    values = [*(node.get("enum") or ()), *([node["const"]] if "const" in node else ())]
    complex_ones = any(isinstance(value, dict | list) for value in values)
    return "Invalid schema: Enum values must be strings, numbers, booleans or null" if complex_ones else None


def _object_fault(node: Json) -> str | None:
    if "object" not in kinds(node) or node.get("additionalProperties") is False:
        return None
    others = node.get("additionalProperties")
    if others is None:
        return "For 'object' type, 'additionalProperties' must be explicitly set to false"
    shown = "true" if others is True else "object"
    refused = f"For 'object' type, 'additionalProperties: {shown}' is not supported."
    return f"{refused} Please set 'additionalProperties' to false"


def _string_fault(node: Json) -> str | None:
    if "format" in node and node["format"] not in _FORMATS:
        return f"For 'string' type, format '{node['format']}' is not supported"
    refused = re.search(r"\(\?(?!:)|\\[1-9bB]", node.get("pattern", ""))
    return "For 'string' type, 'pattern' has lookarounds, backreferences or word boundaries" if refused else None
