"""The simulator refuses forms of answers that the providers refuse, in their words; sent past flyllm's adaptation."""

from collections.abc import Iterator
from typing import Any

import pytest

from flyllm import APIError, LLMManager
from flyllm.testing import ProviderSimulator

Json = dict[str, Any]
Row = tuple[str, str]
OPEN: Json = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
CLOSED: Json = {**OPEN, "additionalProperties": False}
TREE: Json = {
    "type": "object",
    "properties": {"up": {"$ref": "#/$defs/T"}},
    "required": ["up"],
    "additionalProperties": False,
    "$defs": {"T": {**CLOSED, "properties": {"a": {"$ref": "#/$defs/T"}}}},
}


def closed(**nodes: Any) -> Json:
    return {"type": "object", "properties": nodes, "required": list(nodes), "additionalProperties": False}


def chat(schema: Any, **fields: Any) -> Json:
    given = {"name": "x", "strict": True, "schema": schema, **fields}
    return {"response_format": {"type": "json_schema", "json_schema": given}}


def responses(schema: Any) -> Json:
    return {"text": {"format": {"type": "json_schema", "name": "x", "strict": True, "schema": schema}}}


def anthropic(schema: Any) -> Json:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def google(schema: Any) -> Json:
    return {"responseMimeType": "application/json", "responseJsonSchema": schema}


def cohere(schema: Any) -> Json:
    return {"response_format": {"type": "json_object", "json_schema": schema}}


OPENAI, RESPONSES, GROQ = ("openai", "chat_completions"), ("openai", "responses"), ("groq", "chat_completions")
ANTHROPIC, GOOGLE, COHERE = ("anthropic", "messages"), ("google", "generate_content"), ("cohere", "chat")
MISTRAL, SONAR = ("mistral", "chat_completions"), ("perplexity", "chat_completions")
AGENT, OLLAMA, LMSTUDIO = ("perplexity", "responses"), ("ollama", "chat"), ("lmstudio", "chat_completions")
TOGETHER, GOOGLE_CHAT = ("togetherai", "chat_completions"), ("google", "chat_completions")
OLLAMA_CHAT = ("ollama", "chat_completions")
STRING: Json = {"type": "string"}

REFUSED: list[tuple[Row, Json, int, str]] = [
    (
        OPENAI,
        chat(OPEN),
        400,
        "Invalid schema for response_format 'x': In context=(), 'additionalProperties' is required to be supplied and "
        "to be false.",
    ),
    (RESPONSES, responses(OPEN), 400, "In context=(), 'additionalProperties' is required to be supplied"),
    (OPENAI, chat({**CLOSED, "required": []}), 400, "an array including every key in properties. Missing 'a'."),
    (OPENAI, chat({**CLOSED, "required": ["a", "b"]}), 400, "Extra required key 'b' supplied."),
    (
        OPENAI,
        chat(closed(u={**STRING, "format": "uri"})),
        400,
        "context=('properties', 'u'), 'uri' is not a valid format",
    ),
    (OPENAI, chat(closed(u={})), 400, "schema must have a 'type' key."),
    (OPENAI, chat(closed(u={"type": "array"})), 400, "array schema missing items."),
    (OPENAI, chat(closed(u={"oneOf": [STRING]})), 400, "'oneOf' is not permitted."),
    (
        OPENAI,
        chat({**TREE, "properties": {"up": {"$ref": "#/$defs/T", "title": "U"}}}),
        400,
        "$ref cannot have keywords",
    ),
    (OPENAI, chat({"type": "array", "items": STRING}), 400, "got 'type: \"array\"'"),
    (OPENAI, chat(closed(u={"type": "integer", "enum": list(range(1001))})), 400, "1000 enum values"),
    (OPENAI, chat(CLOSED, name=""), 400, "Missing required parameter: 'response_format.json_schema.name'."),
    (OPENAI, chat(CLOSED, name="a b"), 400, "string does not match pattern"),
    (OPENAI, {"response_format": {"type": "json_object"}}, 400, "must contain the word 'json' in some form"),
    (RESPONSES, {"text": {"format": {"type": "json_object"}}}, 400, "must contain the word 'json' in some form"),
    (GROQ, chat(OPEN), 400, "invalid JSON schema for response_format: 'x': `additionalProperties:false` must be set"),
    (
        GROQ,
        chat({**CLOSED, "required": []}),
        400,
        "/required: The following properties must be listed in `required`: a",
    ),
    (GROQ, chat(closed(u={"type": "array", "items": STRING, "minItems": 1})), 400, "minItems is not supported"),
    (
        ANTHROPIC,
        anthropic(OPEN),
        400,
        "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
    ),
    (
        ANTHROPIC,
        anthropic({**OPEN, "additionalProperties": True}),
        400,
        "'additionalProperties: true' is not supported",
    ),
    (
        ANTHROPIC,
        anthropic(closed(u={"type": "integer", "minimum": 1, "maximum": 2})),
        400,
        "For 'integer' type, properties maximum, minimum are not supported",
    ),
    (ANTHROPIC, anthropic(closed(u={"type": "array", "minItems": 2})), 400, "'minItems' values other than 0 or 1"),
    (ANTHROPIC, anthropic(closed(u={"oneOf": [STRING]})), 400, "Schema type 'oneOf' is not supported"),
    (ANTHROPIC, anthropic(closed(u={})), 400, "Schema type is missing"),
    (ANTHROPIC, anthropic(TREE), 400, "Circular reference detected in schema definitions: T -> T."),
    (GOOGLE, google(TREE), 400, "Cyclic references"),
    (GOOGLE, google({**OPEN, "properties": {"a": {"$ref": "#", "title": "A"}}}), 400, "alongside unsupported fields"),
    (GOOGLE_CHAT, chat(TREE), 400, "Cyclic references"),
    (MISTRAL, chat(closed(u={**STRING, "format": "date"})), 400, "Received unsupported keyword `format` in schema."),
    (MISTRAL, chat(CLOSED, name=None), 422, "Field required"),
    (COHERE, cohere({"properties": {}}), 400, "invalid 'json_schema' provided: missing required field 'type'"),
    (COHERE, cohere({**OPEN, "required": []}), 400, "every object must have at least one required field"),
    (COHERE, cohere(closed(u={"type": "integer", "minimum": 1})), 400, "unsupported feature 'minimum'"),
    (SONAR, chat(TREE), 400, "recursive schemas are not supported"),
    (SONAR, chat({**OPEN, "additionalProperties": True}), 400, "unconstrained objects are not supported"),
    (AGENT, {"response_format": {"type": "json_object"}}, 400, "Input should be 'json_schema'"),
    (TOGETHER, chat(OPEN, name=None), 400, "name is required"),
    (OLLAMA, {"format": closed(u={**STRING, "pattern": "[0-9]"})}, 500, "invalid JSON schema in format"),
    (OLLAMA, {"format": closed(u={"$ref": "#/$defs/Gone"})}, 500, "invalid JSON schema in format"),
    (OLLAMA, {"format": "yaml"}, 400, 'invalid format: "yaml"'),
    (OLLAMA_CHAT, chat(closed(u={**STRING, "pattern": "[0-9]"})), 500, "invalid JSON schema in format"),
    (LMSTUDIO, {"response_format": {"type": "json_object"}}, 400, "must be 'json_schema' or 'text'"),
]


@pytest.fixture(scope="module")
def simulator() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as running:
        yield running


def refusal(simulator: ProviderSimulator, row: Row, params: Json, model: str = "model-1", **fields: Any) -> APIError:
    builder = LLMManager.builder().add_instance(row[0], model, "sk-key-of-mine", api=row[1]).max_retries(0)
    with builder.custom_endpoint(simulator.url(row[0])).build() as manager, pytest.raises(APIError) as caught:
        manager.generate("Go.", provider_params={row[0]: params}, **fields)
    return caught.value


@pytest.mark.parametrize(
    ("row", "params", "status", "words"),
    REFUSED,
    ids=[f"{'-'.join(row)}-{words[-30:]}" for row, _, _, words in REFUSED],
)
def test_a_form_is_refused_in_the_provider_s_words(
    simulator: ProviderSimulator, row: Row, params: Json, status: int, words: str
) -> None:
    """Its status and the text."""
    error = refusal(simulator, row, params)
    assert words in str(error)
    assert error.status_code == status


def test_a_model_of_groq_without_schemas_says_so(simulator: ProviderSimulator) -> None:
    """Documented models have them only."""
    error = refusal(simulator, GROQ, chat(CLOSED), "llama-3.3-70b-versatile")
    assert "This model does not support response format `json_schema`." in str(error)


@pytest.mark.parametrize(("row", "words"), [(GROQ, "json mode cannot be combined"), (COHERE, "together with tools")])
def test_a_form_and_tools_do_not_go_together_everywhere(simulator: ProviderSimulator, row: Row, words: str) -> None:
    """Groq and Cohere document that."""
    tool = {"type": "function", "function": {"name": "f", "description": "F.", "parameters": {"type": "object"}}}
    params = chat(CLOSED) if row == GROQ else cohere(CLOSED)
    assert words in str(refusal(simulator, row, params, tools=[tool]))
