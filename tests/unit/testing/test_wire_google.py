"""Google's wire: routing, both spellings of fields, refusals, chunks with or without alt=sse, errors."""

import json
from random import Random
from typing import Any

import pytest

from flyllm.testing.wires.base import BadRequest, Call, ErrorKind, Json, Limits, Operation, Reply, SimulatedToolCall
from flyllm.testing.wires.google import GoogleWire

WIRE = GoogleWire()
HI: Json = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
STREAM = "/v1beta/models/gemini-x:streamGenerateContent"


def read(body: Json = HI, path: str = "/v1beta/models/gemini-x:generateContent") -> Call:
    return WIRE.read(Operation.STREAM if "stream" in path else Operation.CHAT, path, body)


def chunks(reply: Reply) -> list[Json]:
    frames = WIRE.stream(read(path=f"{STREAM}?alt=sse"), reply, Random(1))
    return [json.loads(frame.decode().removeprefix("data: ")) for frame in frames]


def detail(body: Json, name: str) -> Json:
    """Return the error detail of a type."""
    found = [d for d in body["error"]["details"] if d["@type"] == f"type.googleapis.com/google.rpc.{name}"]
    assert len(found) == 1
    one: Json = found[0]
    return one


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("POST", "/v1beta/models/gemini-x:generateContent", Operation.CHAT),
        ("POST", "/v1/models/gemini-x:generateContent", Operation.CHAT),
        ("POST", f"{STREAM}?alt=sse&key=k", Operation.STREAM),
        ("POST", "/v1beta/models/e:embedContent", Operation.EMBEDDINGS),
        ("POST", "/v1beta/models/e:batchEmbedContents", Operation.EMBEDDINGS),
        ("GET", "/v1beta/models?pageSize=50", Operation.MODELS),
        ("GET", "/v1beta/models/gemini-x", None),
        ("POST", "/v1beta/models/gemini-x:countTokens", None),
        ("POST", "/v1beta/v1beta/models/gemini-x:generateContent", None),
        ("POST", "/v1beta/openai/chat/completions", None),
    ],
)
def test_the_method_in_the_path_says_what_is_asked(method: str, path: str, operation: Operation | None) -> None:
    """Model and method are in the path, in both versions of the API."""
    assert WIRE.operation(method, path, HI) is operation


def test_model_and_prompt_are_found_in_either_spelling() -> None:
    """Fields may be camelCase or snake_case; the model is the one of the path."""
    system = {"parts": [{"text": "be brief"}]}
    for name in ("systemInstruction", "system_instruction"):
        call = read({**HI, name: system}, "/v1/models/gemini%2Dx:generateContent")
        assert (call.model, call.prompt) == ("gemini-x", "be brief\nHi")


def test_the_key_is_in_googles_header() -> None:
    """A Bearer token is no API key here."""
    assert WIRE.key({"x-goog-api-key": "k", "authorization": "Bearer b"}) == "k"
    assert WIRE.key({"authorization": "Bearer b"}) is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "* GenerateContentRequest.contents: contents is not specified\n"),
        ({"contents": []}, "* GenerateContentRequest.contents: contents is not specified\n"),
        ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, "Please use a valid role: user, model."),
        (
            {"contents": [{"parts": []}]},
            "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty.\n",
        ),
        (
            {"contents": [{"parts": [{}]}]},
            "* GenerateContentRequest.contents[0].parts[0].data: required oneof field 'data' must have one "
            "initialized field\n",
        ),
        ({**HI, "max_tokens": 9}, 'Invalid JSON payload received. Unknown name "max_tokens": Cannot find field.'),
        (
            {**HI, "generationConfig": {"maxTokens": 9}},
            "Invalid JSON payload received. Unknown name \"max_tokens\" at 'generation_config': Cannot find field.",
        ),
        (
            {**HI, "generationConfig": {"temperature": "hot"}},
            "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"hot\"",
        ),
        (
            {**HI, "generation_config": {"max_output_tokens": "9x"}},
            "Invalid value at 'generation_config.max_output_tokens' (TYPE_INT32), \"9x\"",
        ),
        (
            {**HI, "generationConfig": {"topP": 2}},
            "* GenerateContentRequest.generation_config.top_p: top_p must be in the range [0.0, 1.0].\n",
        ),
        (
            {**HI, "generationConfig": {"topK": 0}},
            "* GenerateContentRequest.generation_config.top_k: top_k must be positive.\n",
        ),
    ],
)
def test_what_google_refuses_is_refused_in_its_words(body: Json, message: str) -> None:
    """A malformed request is INVALID_ARGUMENT with the front end's message."""
    with pytest.raises(BadRequest) as refusal:
        read(body)
    assert refusal.value.message == message


def test_a_role_may_be_missing() -> None:
    """A single turn needs no role."""
    assert read({"contents": [{"parts": [{"text": "Hi"}]}]}).prompt == "Hi"


def test_a_function_call_finishes_with_stop() -> None:
    """Only the first of parallel calls carries a signature."""
    reply = Reply(tool_calls=(SimulatedToolCall("a", {"x": 1}), SimulatedToolCall("b")))
    candidate = WIRE.chat(read(), reply, Random(1))["candidates"][0]
    assert candidate["finishReason"] == "STOP"
    assert [p["functionCall"]["name"] for p in candidate["content"]["parts"]] == ["a", "b"]
    assert ["thoughtSignature" in p for p in candidate["content"]["parts"]] == [True, False]


def test_a_filtered_answer_is_a_blocked_prompt_or_unsafe_text() -> None:
    """Without text there is no candidate but a reason of the block; with text the candidate is cut with SAFETY."""
    blocked = WIRE.chat(read(), Reply(finish="content_filter", prompt_tokens=4, completion_tokens=1), Random(1))
    assert blocked["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}
    assert "candidates" not in blocked
    assert blocked["usageMetadata"]["totalTokenCount"] == 4
    unsafe = WIRE.chat(read(), Reply("So you", finish="content_filter"), Random(1))
    assert unsafe["candidates"][0]["finishReason"] == "SAFETY"


def test_usage_grows_with_the_chunks_and_ends_exact() -> None:
    """Every chunk has usage: thoughts first, then candidates, which exclude thoughts; the last one has it all."""
    reply = Reply("one two three", reasoning="hm well", prompt_tokens=5, completion_tokens=10, reasoning_tokens=4)
    usages = [chunk["usageMetadata"] for chunk in chunks(reply)]
    assert [u["thoughtsTokenCount"] for u in usages] == [2, 4, 4, 4, 4]
    assert [u.get("candidatesTokenCount") for u in usages] == [None, None, 2, 4, 6]
    assert [u["totalTokenCount"] for u in usages] == [7, 9, 11, 13, 15]
    assert usages[-1] == WIRE.chat(read(), reply, Random(1))["usageMetadata"]


def test_only_the_last_chunk_has_a_finish_reason() -> None:
    """There is no other mark of the end, and an empty answer is one chunk."""
    finishes = [chunk["candidates"][0].get("finishReason") for chunk in chunks(Reply("a b c"))]
    assert finishes == [None, None, "STOP"]
    assert [chunk["candidates"][0]["finishReason"] for chunk in chunks(Reply(""))] == ["STOP"]


def test_without_alt_sse_the_chunks_are_one_json_array() -> None:
    """The API streams an array unless `alt=sse` is asked for, and says so in the content type."""
    call = read(path=STREAM)
    array = json.loads(b"".join(WIRE.stream(call, Reply("a b c"), Random(1))))
    assert array == chunks(Reply("a b c"))
    assert WIRE.stream_type(call).startswith("application/json")
    assert WIRE.stream_type(read(path=f"{STREAM}?alt=sse")) == "text/event-stream"


def test_one_text_or_a_batch_is_embedded() -> None:
    """The answer has the shape of the request."""
    content: Json = {"content": {"parts": [{"text": "a"}]}}
    one = WIRE.read(Operation.EMBEDDINGS, "/v1beta/models/e:embedContent", content)
    batch = WIRE.read(Operation.EMBEDDINGS, "/v1beta/models/e:batchEmbedContents", {"requests": [content, content]})
    assert (one.inputs, batch.inputs) == (("a",), ("a", "a"))
    assert WIRE.embeddings(one, [[1.0]], Random(1)) == {"embedding": {"values": [1.0]}}
    assert WIRE.embeddings(batch, [[1.0], [2.0]], Random(1))["embeddings"][1] == {"values": [2.0]}
    with pytest.raises(BadRequest):
        WIRE.read(Operation.EMBEDDINGS, "/v1beta/models/e:embedContent", {})


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (ErrorKind.AUTHENTICATION, 400, "INVALID_ARGUMENT"),
        (ErrorKind.QUOTA, 402, "RESOURCE_EXHAUSTED"),
        (ErrorKind.PERMISSION, 403, "PERMISSION_DENIED"),
        (ErrorKind.MODEL_NOT_FOUND, 404, "NOT_FOUND"),
        (ErrorKind.RATE_LIMIT, 429, "RESOURCE_EXHAUSTED"),
        (ErrorKind.SERVER_ERROR, 500, "INTERNAL"),
        (ErrorKind.OVERLOADED, 503, "UNAVAILABLE"),
    ],
)
def test_errors_have_their_documented_code_and_status(kind: ErrorKind, code: int, status: str) -> None:
    """The body repeats the HTTP status."""
    reply = WIRE.error(kind, None, Random(1))
    error = json.loads(reply.body)["error"]
    assert (reply.status, error["code"], error["status"]) == (code, code, status)


def test_a_bad_key_is_a_400_with_its_reason_in_the_details() -> None:
    """Only ErrorInfo tells a bad key from a bad request."""
    body = json.loads(WIRE.error(ErrorKind.AUTHENTICATION, None, Random(1)).body)
    assert detail(body, "ErrorInfo")["reason"] == "API_KEY_INVALID"


def test_a_rate_limit_says_in_the_body_when_to_retry() -> None:
    """RetryInfo has the delay, QuotaFailure the quota; a delay given from outside wins."""
    body = json.loads(WIRE.error(ErrorKind.RATE_LIMIT, None, Random(1)).body)
    assert detail(body, "RetryInfo")["retryDelay"] == "7s"
    assert "PerMinute" in detail(body, "QuotaFailure")["violations"][0]["quotaId"]
    body = json.loads(WIRE.error(ErrorKind.RATE_LIMIT, None, Random(1), retry_after=0.25).body)
    assert detail(body, "RetryInfo")["retryDelay"] == "0.25s"
    assert body["error"]["message"].endswith("Please retry in 0.25s.")


def test_a_refused_field_is_named_in_the_details() -> None:
    """BadRequest carries the violated field."""
    body = json.loads(WIRE.error(ErrorKind.INVALID_REQUEST, "no", Random(1), "generation_config").body)
    assert detail(body, "BadRequest")["fieldViolations"] == [{"field": "generation_config", "description": "no"}]


@pytest.mark.parametrize("kind", ErrorKind)
def test_an_error_inside_a_stream_is_an_event_with_an_error(kind: ErrorKind) -> None:
    """Every kind renders; the event has no name."""
    frame: Any = WIRE.stream_error(kind, "broken", Random(1))
    assert json.loads(frame.decode().removeprefix("data: "))["error"]["message"] == "broken"


def test_headers_tell_nothing_of_limits() -> None:
    """Google sends no rate limit headers and no request id."""
    assert list(WIRE.headers(None, Limits(requests=5, tokens=5), Random(1))) == ["server-timing"]
