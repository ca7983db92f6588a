"""The simulator's OpenAI-shaped answers are what the providers' published descriptions say."""

import json
import os
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from flyllm.testing.answers import completed
from flyllm.testing.wires.base import Call, ErrorKind, Limits, Operation, Reply, SimulatedToolCall, Wire
from flyllm.testing.wires.registry import wires

SPECS = Path(os.environ.get("FLYLLM_SPECS") or Path(__file__).resolve().parents[3] / "shared" / "specs")
needs_specs = pytest.mark.skipif(not SPECS.is_dir(), reason=f"no API descriptions at {SPECS}; set FLYLLM_SPECS")
pytestmark = needs_specs

REPLIES = {
    "text": Reply("Hello, wörld! Two  blanks."),
    "empty": Reply(""),
    "length": Reply("Cut of", finish="length"),
    "filtered": Reply("", finish="content_filter"),
    "tools": Reply(tool_calls=(SimulatedToolCall("weather", {"city": "Paris"}), SimulatedToolCall("now"))),
    "text and tool": Reply("Let me look.", tool_calls=(SimulatedToolCall("weather", {"city": "Paris"}),)),
    "reasoning": Reply("Yes.", reasoning="Let me think about it.", cached_tokens=3, prompt_tokens=9),
}

# provider, index of its wire, (spec, schema of a whole answer), (spec, schema of a stream event)
OPENAI_CHAT = ("openai", "CreateChatCompletionResponse"), ("openai", "CreateChatCompletionStreamResponse")
OPENAI_RESPONSES = ("openai", "Response"), ("openai", "ResponseStreamEvent")
CHAT = [
    ("openai", 0, *OPENAI_CHAT),
    ("openai", 1, *OPENAI_RESPONSES),
    # Groq's description has no schema of stream events; OpenAI's is what it promises to be compatible with.
    ("groq", 0, ("groq", "CreateChatCompletionResponse"), OPENAI_CHAT[1]),
    ("togetherai", 0, ("together", "ChatCompletionResponse"), ("together", "ChatCompletionStream")),
    ("perplexity", 0, *OPENAI_RESPONSES),
    ("perplexity", 1, ("perplexity", "CompletionResponse"), ("perplexity", "CompletionResponse")),
    ("lmstudio", 0, *OPENAI_CHAT),
    ("ollama", 1, *OPENAI_CHAT),
    ("google", 1, *OPENAI_CHAT),
]
CASES = [pytest.param(*row, id=f"{row[0]}-{row[2][1]}") for row in CHAT]

# Where a recording of real traffic, or a provider's own shape, contradicts a description:
# (provider, path into the answer or event, what validation is to see instead of what is sent, reason).
ABSENT_IF_NULL, NULL_IF_ABSENT = object(), object()
EXCEPTIONS: list[tuple[str, str, Any, str]] = [
    ("openai", "user", ABSENT_IF_NULL, "null in every recorded response; the description has a string"),
    ("openai", "response.user", ABSENT_IF_NULL, "null in every recorded response; the description has a string"),
    ("openai", "response.usage", ABSENT_IF_NULL, "null until the response is finished, in every recorded stream"),
    ("perplexity", "response.usage", ABSENT_IF_NULL, "the same object as OpenAI's"),
    ("perplexity", "user", ABSENT_IF_NULL, "the same object as OpenAI's"),
    ("perplexity", "response.user", ABSENT_IF_NULL, "the same object as OpenAI's"),
    ("groq", "usage_breakdown", ABSENT_IF_NULL, "null in recordings; the description has an object"),
    ("groq", "choices.0.message.content", NULL_IF_ABSENT, "absent beside tool calls in every recording"),
    ("lmstudio", "choices.0.message.refusal", NULL_IF_ABSENT, "OpenAI requires it; LM Studio does not send it"),
    ("ollama", "choices.0.message.refusal", NULL_IF_ABSENT, "OpenAI requires it; Ollama does not send it"),
    ("google", "choices.0.message.refusal", NULL_IF_ABSENT, "OpenAI requires it; Google does not send it"),
]


@cache
def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = _without_nullable(json.loads((SPECS / f"{name}.json").read_text()))
    return loaded


def _without_nullable(node: Any) -> Any:
    """OpenAPI 3.0's `nullable` in JSON Schema's words."""
    if isinstance(node, list):
        return [_without_nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _without_nullable(value) for key, value in node.items()}
    return {"anyOf": [plain, {"type": "null"}]} if plain.pop("nullable", None) is True else plain


@cache
def validator(name: str, schema: str) -> jsonschema.Draft202012Validator:
    spec = document(name)
    return jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": spec["components"]})


def faults(provider: str, place: tuple[str, str], value: Any) -> list[str]:
    """What is wrong with `value`, by the schema at `place`, beyond the exceptions above."""
    spec, schema = place
    for name, path, instead, _reason in EXCEPTIONS:
        value = _replaced(value, path.split("."), instead) if name == provider else value
    if schema == "ResponseStreamEvent":
        schema = _schema_of_event(spec, value["type"])
    if schema == "ChatCompletionStream":
        value = {"data": value}
    errors = validator(spec, schema).iter_errors(value)
    return [f"{e.json_path}: {e.message[:300]}" for e in errors]


def _replaced(value: Any, path: list[str], instead: Any) -> Any:
    if isinstance(value, list):
        return [_replaced(item, path[1:], instead) for item in value] if path[0] == "0" else value
    if not isinstance(value, dict) or (len(path) > 1 and path[0] not in value):
        return value
    if len(path) > 1:
        return {**value, path[0]: _replaced(value[path[0]], path[1:], instead)}
    if instead is ABSENT_IF_NULL:
        return {k: v for k, v in value.items() if k != path[0] or v is not None}
    return {path[0]: None, **value}


@cache
def _schema_of_event(spec: str, kind: str) -> str:
    """The one schema among those of a stream's events whose `type` is `kind`: its faults are readable."""
    schemas = document(spec)["components"]["schemas"]
    names = [choice["$ref"].rpartition("/")[2] for choice in schemas["ResponseStreamEvent"]["anyOf"]]
    (found,) = (n for n in names if schemas[n]["properties"]["type"]["enum"] == [kind])
    return str(found)


def call(operation: Operation, wire: Wire, body: dict[str, Any] | None = None) -> Call:
    message = {"role": "user", "content": "Hi"}
    path = "/v1/responses" if "responses" in type(wire).__module__ or "agent" in type(wire).__module__ else ""
    given = {"input": [message]} if path else {"messages": [message]}
    whole = {"model": "some-model", **given, **(body or {})}
    return wire.read(operation, path, whole)


def events(wire: Wire, reply: Reply, body: dict[str, Any]) -> list[Any]:
    asked = call(Operation.STREAM, wire, {"stream": True, **body})
    found = []
    for frame in wire.stream(asked, completed(reply, asked), Random(1)):
        assert frame.endswith(b"\n\n")
        assert frame.count(b"\n\n") == 1, "one event per frame"
        data = next(line for line in frame.split(b"\n") if line.startswith(b"data: "))[6:]
        found.append("[DONE]" if data == b"[DONE]" else json.loads(data))
    return found


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize(("provider", "index", "whole", "event"), CASES)
def test_whole_answers_validate(provider: str, index: int, whole: Any, event: Any, reply: Reply) -> None:
    """Every kind of answer has the fields and types that the provider describes."""
    wire = wires(provider)[index]
    asked = call(Operation.CHAT, wire)
    assert faults(provider, whole, wire.chat(asked, completed(reply, asked), Random(1))) == []


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}], ids=["plain", "usage"])
@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize(("provider", "index", "whole", "event"), CASES)
def test_stream_events_validate(provider: str, index: int, whole: Any, event: Any, reply: Reply, options: Any) -> None:
    """Every event of a stream has the fields and types that the provider describes."""
    for item in events(wires(provider)[index], reply, options):
        if item != "[DONE]" or event[0] == "together":
            assert faults(provider, event, item) == [], item


@pytest.mark.parametrize(
    ("provider", "spec", "schema"),
    [
        ("openai", "openai", "ListModelsResponse"),
        ("groq", "groq", "ListModelsResponse"),
        ("togetherai", "together", "ModelInfoList"),
        ("perplexity", "perplexity", "ListModelsResponse"),
    ],
)
def test_model_lists_validate(provider: str, spec: str, schema: str) -> None:
    """The model list has the shape that the provider describes."""
    assert faults(provider, (spec, schema), wires(provider)[0].models(["a/b", "c"])) == []


def test_embeddings_validate() -> None:
    """Embeddings have the shape that OpenAI describes."""
    wire = wires("openai")[0]
    asked = wire.read(Operation.EMBEDDINGS, "/v1/embeddings", {"model": "m", "input": ["a", "b"]})
    answer = wire.embeddings(asked, [[0.5, 1.0], [0.25, 0.0]], Random(1))
    assert faults("openai", ("openai", "CreateEmbeddingResponse"), answer) == []


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize(
    ("provider", "spec", "schema"), [("openai", "openai", "ErrorResponse"), ("togetherai", "together", "ErrorData")]
)
def test_error_bodies_validate(provider: str, spec: str, schema: str, kind: ErrorKind) -> None:
    """Errors have the shape that the provider describes, where it describes one."""
    reply = wires(provider)[0].error(kind, None, Random(1))
    assert 400 <= reply.status < 600
    assert faults(provider, (spec, schema), json.loads(reply.body)) == []


def test_perplexity_reports_wrong_fields_as_fastapi_does() -> None:
    """A missing field is a 422 with the list of details that Perplexity describes."""
    reply = wires("perplexity")[1].error(ErrorKind.INVALID_REQUEST, "Field required", Random(1), "messages")
    assert reply.status == 422
    assert faults("perplexity", ("perplexity", "HTTPValidationError"), json.loads(reply.body)) == []


def test_limits_reach_the_headers() -> None:
    """Rate limits come in the header names and units that the providers document."""
    limits = Limits(10, 9, 360.0, 1000, 900, 0.12)
    openai, groq, together = (wires(p)[0].headers(None, limits, Random(1)) for p in ("openai", "groq", "togetherai"))
    for headers in (openai, groq):
        assert headers["x-ratelimit-limit-requests"] == "10"
        assert headers["x-ratelimit-reset-requests"] == "6m0s"
        assert headers["x-ratelimit-reset-tokens"] == "120ms"
    assert together["x-ratelimit-reset"] == "360"
    assert together["x-tokenlimit-remaining"] == "900"
