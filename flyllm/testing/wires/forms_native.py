"""What Google, Mistral, Cohere, Perplexity and llama.cpp check in the wanted form of an answer.

Sources stand beside the checks. Where a provider documents that it refuses something, but nothing tells its words, the
words are ours.
"""

import re
from typing import Any

from flyllm.testing.wires.base import BadRequest, ErrorKind, Json
from flyllm.testing.wires.schema_nodes import CONDITIONS, NUMBERS, SIZES, STRINGS, cycle, kinds, nodes, target


def check_google(config: Json) -> None:
    """Raise `BadRequest` where generateContent refuses `responseJsonSchema`. It ignores keywords it does not know.

    ai.google.dev/api/generate-content; the message about references: issue 12295 of anomalyco/opencode.
    """
    schema = config.get("responseJsonSchema")
    if schema is None:
        return
    if config.get("responseMimeType") != "application/json":
        raise BadRequest(
            "* GenerateContentRequest.generation_config.response_json_schema: response_mime_type is required"
        )
    if text := google_fault(schema):
        raise BadRequest(text, "generation_config.response_json_schema")


def google_fault(schema: Any) -> str | None:
    """Return what Google says against a schema, None where it takes it."""
    for _, node in nodes(schema):
        if isinstance(node, dict) and "$ref" in node and [word for word in node if not word.startswith("$")]:
            name = str(node["$ref"]).rsplit("/", 1)[-1]
            return f"$ref '{name}' was set alongside unsupported fields."
    if cycle(schema, through_optional=False):
        return "Cyclic references may only be used within non-required properties."
    return None


_MISTRAL = CONDITIONS | STRINGS | NUMBERS | SIZES


def check_mistral(body: Json) -> None:
    """Raise `BadRequest` where Mistral refuses `response_format`.

    Its published description wants name and schema; unsupported keywords: issue 29604 of langchain-ai/langchain.
    """
    form = body.get("response_format")
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        return
    given = form.get("json_schema") or {}
    for name in ("name", "schema"):
        if given.get(name) is None:
            raise BadRequest("Field required", f"response_format.json_schema.{name}")
    for name in given.keys() - {"name", "description", "schema", "strict"}:
        raise BadRequest("Extra inputs are not permitted", f"response_format.json_schema.{name}")
    if given.get("strict") is True and (text := mistral_fault(given["schema"])):
        raise BadRequest(text)


def mistral_fault(schema: Any) -> str | None:
    """Return what Mistral says against a strict schema, None where it takes it."""
    words = (word for _, node in nodes(schema) if isinstance(node, dict) for word in node)
    return next((f"Received unsupported keyword `{word}` in schema." for word in words if word in _MISTRAL), None)


_COHERE = CONDITIONS - {"patternProperties", "propertyNames"} | NUMBERS | SIZES | {"minLength", "maxLength"}
_COHERE_COMPOSED = {"allOf", "oneOf"}
_COHERE_FORMATS = ("date-time", "uuid", "date", "time")


def check_cohere(body: Json) -> None:
    """Raise `BadRequest` where Cohere refuses `response_format`.

    docs.cohere.com/docs/structured-outputs and /reference/chat; the beginning of its message: issue 1128 of
    koharu-rs/koharu.
    """
    form = body.get("response_format")
    if not isinstance(form, dict):
        return
    if form.get("type") not in ("text", "json_object"):
        raise BadRequest("invalid request: response_format validation: type must be one of text, json_object")
    if form["type"] == "json_object" and (body.get("tools") or body.get("documents")):
        raise BadRequest("invalid request: response_format is not supported together with tools or documents")
    if "json_schema" in form and (text := cohere_fault(form["json_schema"])):
        raise BadRequest(f"invalid request: response_format validation: invalid 'json_schema' provided: {text}")


def cohere_fault(schema: Any) -> str | None:
    """Return what Cohere says against a schema, None where it takes it."""
    if "type" not in schema:
        return "missing required field 'type'"
    if kinds(schema) != ("object",):
        return "the type in the top level schema must be object"
    for _, node in nodes(schema):
        if not isinstance(node, dict):
            continue
        if refused := [word for word in node if word in _COHERE | _COHERE_COMPOSED]:
            return f"unsupported feature '{refused[0]}'"
        if "format" in node and node["format"] not in _COHERE_FORMATS:
            return f"unsupported format '{node['format']}'"
        if re.search(r"[\^$]|\?[=!]", node.get("pattern", "")):
            return "unsupported regular expression"
        if node.get("properties") and not node.get("required"):
            return "every object must have at least one required field"
    return None


_WRONG_FORM = "At body -> response_format -> ResponseFormatJSONSchema"


def check_perplexity(body: Json) -> None:
    """Raise `BadRequest` where Perplexity refuses `response_format`.

    docs.perplexity.ai/docs/cookbook/articles/structured-output-extraction and /guides/structured-outputs.
    """
    form = body.get("response_format")
    if not isinstance(form, dict) or form.get("type") == "text":
        return
    if form.get("type") != "json_schema":
        raise BadRequest(
            "At body -> response_format -> ResponseFormatJSONSchema -> type: Input should be 'json_schema'"
        )
    given = form.get("json_schema") or {}
    if not isinstance(given.get("schema"), dict):
        raise BadRequest(f"{_WRONG_FORM} -> json_schema: Field required")
    if text := perplexity_fault(given["schema"]):
        raise BadRequest(f"Invalid JSON schema: {text}")


def perplexity_fault(schema: Json) -> str | None:
    """Return what Perplexity says against a schema, None where it takes it."""
    if cycle(schema):
        return "recursive schemas are not supported"
    for _, node in nodes(schema):
        bare = isinstance(node, dict) and "object" in kinds(node) and "properties" not in node
        if bare or (isinstance(node, dict) and node.get("additionalProperties") not in (None, False)):
            return "unconstrained objects are not supported"
    return None


def llama_fault(schema: Any) -> str | None:
    """Return why llama.cpp makes no grammar of a schema, None where it does.

    github.com/ggml-org/llama.cpp, common/json-schema-to-grammar.cpp; what it skips silently is no fault.
    """
    for _, node in nodes(schema):
        if not isinstance(node, dict):
            return f"Unrecognized schema: {node}"
        if "$ref" in node and target(schema, str(node["$ref"])) is None:
            return f"Error resolving ref {node['$ref']}"
        pattern = node.get("pattern")
        if pattern is not None and not (pattern.startswith("^") and pattern.endswith("$")):
            return "Pattern must start with '^' and end with '$'"
    return None


def check_ollama(body: Json) -> None:
    """Raise `BadRequest` where Ollama refuses `format`: issues 8185 and 8325 of ollama/ollama."""
    wanted = body.get("format")
    if isinstance(wanted, str) and wanted not in ("", "json"):
        raise BadRequest(f'invalid format: "{wanted}"; expected "json" or a valid JSON Schema object')
    if isinstance(wanted, dict) and llama_fault(wanted):
        raise BadRequest("invalid JSON schema in format", kind=ErrorKind.SERVER_ERROR)


def check_ollama_chat(body: Json) -> None:
    """Raise `BadRequest` where Ollama's chat completions refuse a schema."""
    form = body.get("response_format")
    if isinstance(form, dict) and form.get("type") == "json_schema":
        check_ollama({"format": (form.get("json_schema") or {}).get("schema")})


def check_lmstudio(body: Json) -> None:
    """Raise `BadRequest` where LM Studio refuses `response_format`: issue 189 of lmstudio-ai/lmstudio-bug-tracker."""
    form = body.get("response_format")
    if not isinstance(form, dict) or form.get("type") == "text":
        return
    if form.get("type") != "json_schema":
        raise BadRequest("'response_format.type' must be 'json_schema' or 'text'")
    schema = (form.get("json_schema") or {}).get("schema")
    if not isinstance(schema, dict):
        raise BadRequest("'response_format.json_schema.schema' must be an object")
    if text := llama_fault(schema):
        raise BadRequest(f"JSON schema conversion failed:\n{text}")


def check_google_chat(body: Json) -> None:
    """Raise `BadRequest` where Google's chat completions refuse `response_format`."""
    form = body.get("response_format")
    given = form.get("json_schema") if isinstance(form, dict) else None
    if isinstance(given, dict) and (text := google_fault(given.get("schema"))):
        raise BadRequest(text, "response_format")


def check_together(body: Json) -> None:
    """Raise `BadRequest` where Together refuses `response_format`: its published description wants a name."""
    form = body.get("response_format")
    if isinstance(form, dict) and form.get("type") == "json_schema" and not (form.get("json_schema") or {}).get("name"):
        raise BadRequest("Input validation error: response_format.json_schema.name is required", "response_format")
