"""What the simulator sends as Anthropic, Google, Mistral, Cohere and Ollama is what these providers describe.

The descriptions (`../shared/specs` or FLYLLM_SPECS) are closed here, so that an invented field fails. Where recorded
traffic contradicts one, the deviation stands below.
"""

import copy
import json
import os
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from flyllm.testing.wires.base import BadRequest, ErrorKind, Json, Operation, Reply
from tests.contract.native_wires import PROVIDERS, REPLIES, SPEC_OF, call, events, shapes, whole, wire_of

SPECS = Path(os.environ.get("FLYLLM_SPECS") or Path(__file__).resolve().parents[3] / "shared" / "specs")
needs_specs = pytest.mark.skipif(not SPECS.is_dir(), reason=f"no API descriptions at {SPECS}; set FLYLLM_SPECS")

# (description, schema and the way to the field, what is different, why)
DEVIATIONS = [
    ("anthropic", "Message.container", "absent", "recorded answers have it only after code execution"),
    ("anthropic", "ResponseTextBlock.citations", "absent", "no recorded answer without citations has it"),
    ("anthropic", "Usage.server_tool_use", "absent", "recorded only where a server tool was used"),
    ("anthropic", "Usage.output_tokens_details", "extra", "recorded since 2026, newer than the description"),
    ("mistral", "ChatCompletionResponse.data", "absent", "required by mistake: no recorded answer has it"),
    ("mistral", "HTTPValidationError.object", "extra", "422s are wrapped into the error object (openclaude#739 ff.)"),
    ("mistral", "HTTPValidationError.message", "extra", "as above"),
    ("mistral", "HTTPValidationError.type", "extra", "as above"),
    ("mistral", "HTTPValidationError.param", "extra", "as above"),
    ("mistral", "HTTPValidationError.code", "extra", "as above"),
    ("mistral", "HTTPValidationError.raw_status_code", "extra", "as above"),
    ("cohere", "ChatMessageStartEvent.delta.message.content", "extra", "sent by the API, not described"),
    ("cohere", "ChatMessageStartEvent.delta.message.tool_plan", "extra", "sent by the API, not described"),
    ("cohere", "ChatMessageStartEvent.delta.message.tool_calls", "extra", "sent by the API, not described"),
    ("cohere", "ChatMessageStartEvent.delta.message.citations", "extra", "sent by the API, not described"),
    ("ollama", "ToolCall.id", "extra", "sent since 0.12 (api/types.go), not described"),
    ("ollama", "ToolCall.function.index", "extra", "sent since 0.12 (api/types.go), not described"),
    ("ollama", "ModelSummary.details.parent_model", "extra", "sent (api/types.go), not described"),
]


@cache
def document(name: str) -> Json:
    """Return a description with the deviations applied and every object closed against unknown fields."""
    spec: Json = json.loads((SPECS / f"{name}.json").read_text("utf-8"))
    given = spec["components"]["schemas"]
    schemas = {k: _flat(v, given) for k, v in given.items()}
    for described, path, what, _ in DEVIATIONS:
        if described == name:
            *way, field = path.split(".")
            holder = schemas[way[0]]
            for step in way[1:]:
                holder = holder["properties"][step]
            if what == "absent":
                holder["required"] = [required for required in holder["required"] if required != field]
            else:
                holder["properties"][field] = {}
    return {"components": {**spec["components"], "schemas": _closed(schemas)}}


def _flat(schema: Json, schemas: Json) -> Json:
    """Return a named schema with the members of its `allOf` merged into it, so that it can be closed."""
    if "$ref" in schema:
        return _flat(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "allOf" not in schema:
        return copy.deepcopy(schema)
    flat: Json = {"type": "object", "properties": {}, "required": []}
    for member in schema["allOf"]:
        part = _flat(member, schemas)
        flat["properties"] |= part.get("properties", {})
        flat["required"] += part.get("required", [])
    return flat


def _closed(schema: Any) -> Any:
    """Return `schema` refusing unknown fields, in the words of JSON Schema."""
    if isinstance(schema, list):
        return [_closed(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {k: _closed(v) for k, v in schema.items()}
    if isinstance(schema.get("properties"), dict) and "allOf" not in schema:
        closed.setdefault("additionalProperties", False)
    return closed


def check(name: str, schema: str | Json, value: Any) -> None:
    """Assert that `value` validates against a schema of description `name`."""
    root = {"$ref": f"#/components/schemas/{schema}"} if isinstance(schema, str) else _closed(schema)
    errors = list(jsonschema.Draft202012Validator({**root, **document(name)}).iter_errors(value))
    shown = [f"{e.json_path}: {jsonschema.exceptions.best_match([e]).message[:300]}" for e in errors]
    assert not shown, json.dumps(value)[:600]


WHOLE = {
    "anthropic": "Message",
    "google": "GenerateContentResponse",
    "mistral": "ChatCompletionResponse",
    "cohere": "ChatResponseV2",
    "ollama": "ChatResponse",
}
MODELS = {
    "anthropic": "ListResponse_ModelInfo_",
    "google": "ListModelsResponse",
    "mistral": "ModelList",
    "cohere": "ListModelsResponse",
    "ollama": "ListResponse",
}


@needs_specs
@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_whole_answers_are_as_described(provider: str, reply: Reply) -> None:
    """Every whole answer validates against the provider's published schema."""
    check(SPEC_OF.get(provider, provider), WHOLE[provider], whole(provider, reply))


@needs_specs
@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("provider", ["google", "mistral", "cohere", "ollama"])
def test_stream_events_are_as_described(provider: str, reply: Reply) -> None:
    """Every event of a stream validates against the provider's published schema of events."""
    for event in events(provider, reply):
        if provider == "google":
            check("gemini", "GenerateContentResponse", event)
        elif provider == "mistral":
            check("mistral", "CompletionEvent", {"data": event})
        elif provider == "cohere":
            check("cohere", COHERE_EVENTS[event["type"]], event)
        else:
            # The description gives the last line no counts; it has those of a whole answer.
            check("ollama", "ChatResponse" if event["done"] else "ChatStreamEvent", event)


COHERE_EVENTS = {
    "message-start": "ChatMessageStartEvent",
    "content-start": "ChatContentStartEvent",
    "content-delta": "ChatContentDeltaEvent",
    "content-end": "ChatContentEndEvent",
    "tool-plan-delta": "ChatToolPlanDeltaEvent",
    "tool-call-start": "ChatToolCallStartEvent",
    "tool-call-delta": "ChatToolCallDeltaEvent",
    "tool-call-end": "ChatToolCallEndEvent",
    "message-end": "ChatMessageEndEvent",
}


@needs_specs
@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_anthropic_events_are_as_its_sdk_types_them(reply: Reply) -> None:
    """The description has no events; the SDK's types, generated from the full one, validate them."""
    adapter: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    for event in events("anthropic", reply):
        if event["type"] == "message_start":
            check("anthropic", "Message", event["message"])
        if event["type"] != "ping":
            adapter.validate_python(event)


@needs_specs
@pytest.mark.parametrize("names", [[], ["m-1", "embed-2"]], ids=["none", "two"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_model_lists_are_as_described(provider: str, names: list[str]) -> None:
    """Model lists validate against the published schemas."""
    check(SPEC_OF.get(provider, provider), MODELS[provider], wire_of(provider).models(names))


@needs_specs
def test_embeddings_are_as_described() -> None:
    """Embeddings validate against the published schemas of the providers that publish one."""
    google, ollama = wire_of("google"), wire_of("ollama")
    content = {"content": {"parts": [{"text": "a"}]}}
    one = google.read(Operation.EMBEDDINGS, "/v1beta/models/e:embedContent", content)
    check("gemini", "EmbedContentResponse", google.embeddings(one, [[0.5]], Random(1)))
    two = google.read(Operation.EMBEDDINGS, "/v1beta/models/e:batchEmbedContents", {"requests": [content, content]})
    check("gemini", "BatchEmbedContentsResponse", google.embeddings(two, [[0.5], [1.0]], Random(1)))
    asked = ollama.read(Operation.EMBEDDINGS, "/api/embed", {"model": "e", "input": ["a"]})
    check("ollama", "EmbedResponse", ollama.embeddings(asked, [[0.5]], Random(1)))


COHERE_ERROR: Json = {"type": "object", "properties": {"message": {"type": "string"}, "id": {"type": "string"}}}
STATUSES = ["INVALID_ARGUMENT", "PERMISSION_DENIED", "NOT_FOUND", "RESOURCE_EXHAUSTED", "INTERNAL", "UNAVAILABLE"]
STATUS: Json = {
    # google.rpc.Status, which is no part of the trimmed description.
    "type": "object",
    "required": ["code", "message", "status"],
    "properties": {
        "code": {"type": "integer"},
        "message": {"type": "string"},
        "status": {"enum": STATUSES},
        "details": {"type": "array", "items": {"type": "object", "required": ["@type"]}},
    },
}
OLLAMA_ERROR: Json = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}


@needs_specs
@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_errors_are_as_described(provider: str, kind: ErrorKind) -> None:
    """Error bodies validate against the published schemas, or against what the documentation shows."""
    reply = wire_of(provider).error(kind, None, Random(1), "messages" if kind is ErrorKind.INVALID_REQUEST else None)
    body = json.loads(reply.body)
    if provider == "google":
        if reply.status == 200:
            check("gemini", "GenerateContentResponse", body)
        else:
            check("gemini", STATUS, body["error"])
            assert body["error"]["code"] == reply.status
    elif provider == "anthropic":
        check("anthropic", "ErrorResponse", body)
    elif provider == "cohere":
        check("cohere", COHERE_ERROR, body)
    elif provider == "ollama":
        check("ollama", OLLAMA_ERROR, body)
    elif reply.status == 422:
        check("mistral", "HTTPValidationError", body)
        check("mistral", "HTTPValidationError", body["message"])


def test_only_anthropic_has_no_embeddings() -> None:
    """A provider without embeddings answers 404."""
    with pytest.raises(BadRequest) as refusal:
        wire_of("anthropic").embeddings(call("anthropic"), [], Random(1))
    assert refusal.value.kind is ErrorKind.MODEL_NOT_FOUND


def test_a_deviation_is_listed_only_while_it_is_needed() -> None:
    """A field listed as absent is never sent; one listed as extra is sent somewhere."""
    sent: dict[str, set[str]] = {p: set() for p in PROVIDERS}
    for provider in PROVIDERS:
        bodies: list[Any] = [wire_of(provider).models(["m"])]
        for reply in REPLIES.values():
            bodies += [whole(provider, reply), *events(provider, reply)]
        bodies.append(json.loads(wire_of(provider).error(ErrorKind.INVALID_REQUEST, None, Random(1), "x").body))
        sent[provider] = {s.rpartition(".")[2] for body in copy.deepcopy(bodies) for s in shapes(body)}
    for name, path, what, _ in DEVIATIONS:
        field = path.rpartition(".")[2]
        if what == "extra":
            assert field in sent[name], path
        elif field not in ("data",):
            assert field not in sent[name], path
