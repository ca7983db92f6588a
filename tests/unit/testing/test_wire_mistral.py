"""Mistral's wire: strict validation, identifiers, chunks of thoughts, usage on the last chunk, errors, limits."""

import json
import re
from random import Random
from typing import Any

import pytest

from flyllm.testing.wires.base import BadRequest, Call, ErrorKind, Json, Limits, Operation, Reply, SimulatedToolCall
from flyllm.testing.wires.mistral import MistralWire

WIRE = MistralWire()
USER: Json = {"role": "user", "content": "Hi"}
CALLING: Json = {"role": "assistant", "content": "", "tool_calls": [{"id": "abcdefghi", "function": {"name": "f"}}]}
RESULT: Json = {"role": "tool", "content": "1", "tool_call_id": "abcdefghi"}


def read(**changes: Any) -> Call:
    body = {k: v for k, v in {"model": "mistral-x", "messages": [USER], **changes}.items() if v is not ...}
    return WIRE.read(Operation.CHAT, "/v1/chat/completions", body)


def refusal(**changes: Any) -> tuple[int, Any]:
    """Return status and body of the answer to a request that is refused."""
    with pytest.raises(BadRequest) as refused:
        read(**changes)
    reply = WIRE.error(refused.value.kind, refused.value.message, Random(1), refused.value.param)
    return reply.status, json.loads(reply.body)


def chunks(reply: Reply) -> list[Json]:
    *frames, end = WIRE.stream(read(), reply, Random(1))
    assert end == b"data: [DONE]\n\n"
    return [json.loads(frame.decode().removeprefix("data: ")) for frame in frames]


@pytest.mark.parametrize(
    ("method", "path", "body", "operation"),
    [
        ("POST", "/v1/chat/completions", {}, Operation.CHAT),
        ("POST", "/v1/chat/completions", {"stream": True}, Operation.STREAM),
        ("POST", "/v1/embeddings", {}, Operation.EMBEDDINGS),
        ("GET", "/v1/models", None, Operation.MODELS),
        ("POST", "/chat/completions", {}, None),
        ("DELETE", "/v1/models", None, None),
    ],
)
def test_only_documented_paths_are_known(method: str, path: str, body: Any, operation: Operation | None) -> None:
    """Whether a completion is streamed is said in the body."""
    assert WIRE.operation(method, path, body) is operation


@pytest.mark.parametrize(
    ("changes", "violation"),
    [
        ({"model": ...}, {"type": "missing", "loc": ["body", "model"], "msg": "Field required"}),
        ({"messages": ...}, {"type": "missing", "loc": ["body", "messages"], "msg": "Field required"}),
        (
            {"max_completion_tokens": 9},
            {
                "type": "extra_forbidden",
                "loc": ["body", "max_completion_tokens"],
                "msg": "Extra inputs are not permitted",
            },
        ),
        (
            {"messages": [{**USER, "reasoning_content": "x"}]},
            {
                "type": "extra_forbidden",
                "loc": ["body", "messages", 0, "reasoning_content"],
                "msg": "Extra inputs are not permitted",
            },
        ),
        (
            {"temperature": "hot"},
            {"type": "float_type", "loc": ["body", "temperature"], "msg": "Input should be a valid number"},
        ),
        (
            {"temperature": 2},
            {
                "type": "less_than_equal",
                "loc": ["body", "temperature"],
                "msg": "Input should be less than or equal to 1.5",
            },
        ),
    ],
)
def test_a_request_that_breaks_the_schema_is_a_422(changes: Json, violation: Json) -> None:
    """The fault is listed as pydantic lists it, inside the error object."""
    status, body = refusal(**changes)
    assert (status, body["raw_status_code"]) == (422, 422)
    assert body["message"] == {"detail": [violation]}


def test_an_unknown_role_breaks_the_schema() -> None:
    """The "developer" role of OpenAI is unknown here."""
    status, body = refusal(messages=[{"role": "developer", "content": "x"}])
    assert (status, body["message"]["detail"][0]["type"]) == (422, "union_tag_invalid")


@pytest.mark.parametrize(
    ("messages", "start", "kind", "code"),
    [
        ([], "Conversation must have at least one message", "invalid_request_error", None),
        ([USER, {"role": "assistant", "content": "x"}], "Expected last role", "invalid_request_message_order", "3230"),
        (
            [USER, {**CALLING, "tool_calls": [{"id": "call_0123456789"}]}, RESULT],
            "Tool call id was call_0123456789 but must be",
            "invalid_function_call",
            "3280",
        ),
    ],
)
def test_what_the_schema_allows_may_still_be_refused(
    messages: list[Json], start: str, kind: str, code: str | None
) -> None:
    """Order of messages and form of tool call ids are refused with 400 and a code."""
    status, body = refusal(messages=messages)
    assert (status, body["type"], body["code"]) == (400, kind, code)
    assert body["message"].startswith(start)


def test_a_conversation_with_tools_is_accepted() -> None:
    """Ids of nine characters, a tool's result at the end, an assistant's prefix."""
    assert read(messages=[USER, CALLING, RESULT]).prompt == "Hi\n\n1"
    assert read(messages=[USER, {"role": "assistant", "content": "{", "prefix": True}]).prompt == "Hi\n{"


def test_ids_look_like_mistrals() -> None:
    """Answers have 32 hexadecimal digits, tool calls nine letters and digits."""
    answer = WIRE.chat(read(), Reply(tool_calls=(SimulatedToolCall("f", {"a": 1}),)), Random(1))
    assert re.fullmatch("[0-9a-f]{32}", answer["id"])
    call = answer["choices"][0]["message"]["tool_calls"][0]
    assert re.fullmatch("[A-Za-z0-9]{9}", call["id"])
    assert call["function"] == {"name": "f", "arguments": '{"a":1}'}
    assert answer["choices"][0]["finish_reason"] == "tool_calls"


def test_thoughts_make_the_content_a_list_of_chunks() -> None:
    """Without thoughts it is a string."""
    assert WIRE.chat(read(), Reply("Yes."), Random(1))["choices"][0]["message"]["content"] == "Yes."
    assert WIRE.chat(read(), Reply("Yes.", reasoning="Hm."), Random(1))["choices"][0]["message"]["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
        {"type": "text", "text": "Yes."},
    ]


def test_usage_rides_on_the_last_chunk_beside_the_finish_reason() -> None:
    """No chunk before it has either."""
    *before, last = chunks(Reply("a b", reasoning="hm", prompt_tokens=5, completion_tokens=3, cached_tokens=2))
    assert all("usage" not in chunk and chunk["choices"][0]["finish_reason"] is None for chunk in before)
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]["total_tokens"] == 8
    assert last["usage"]["prompt_tokens_details"] == {"cached_tokens": 2}


def test_tool_calls_come_whole_on_the_last_chunk() -> None:
    """Mistral does not cut arguments."""
    last = chunks(Reply(tool_calls=(SimulatedToolCall("f", {"a": "b c d"}),)))[-1]
    assert last["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] == '{"a":"b c d"}'


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (ErrorKind.QUOTA, 402, None),
        (ErrorKind.MODEL_NOT_FOUND, 400, "1500"),
        (ErrorKind.CONTEXT_LENGTH, 400, "3051"),
        (ErrorKind.RATE_LIMIT, 429, "1300"),
        (ErrorKind.OVERLOADED, 503, "3800"),
    ],
)
def test_errors_have_their_status_and_code(kind: ErrorKind, status: int, code: str | None) -> None:
    """The error object stands at the top of the body."""
    reply = WIRE.error(kind, None, Random(1))
    body = json.loads(reply.body)
    assert (reply.status, body["object"], body["code"], body["raw_status_code"]) == (status, "error", code, status)


def test_a_bad_key_is_answered_by_the_gateway() -> None:
    """Its body has nothing but a detail."""
    reply = WIRE.error(ErrorKind.AUTHENTICATION, None, Random(1))
    assert (reply.status, json.loads(reply.body)) == (401, {"detail": "Unauthorized"})


def test_embeddings_take_one_text_or_several() -> None:
    """Anything else breaks the schema."""
    for given, texts in (("a", ("a",)), (["a", "b"], ("a", "b"))):
        call = WIRE.read(Operation.EMBEDDINGS, "/v1/embeddings", {"model": "e", "input": given})
        assert call.inputs == texts
        assert len(WIRE.embeddings(call, [[1.0]] * len(texts), Random(1))["data"]) == len(texts)
    for bad in (None, [], [1]):
        with pytest.raises(BadRequest):
            WIRE.read(Operation.EMBEDDINGS, "/v1/embeddings", {"model": "e", "input": bad})


def test_limits_per_minute_are_told_on_inference_only() -> None:
    """The model list has the correlation id alone."""
    limits = Limits(requests=60, remaining_requests=59, tokens=500, remaining_tokens=0)
    headers = WIRE.headers(read(), limits, Random(1))
    assert headers.pop("mistral-correlation-id")
    assert headers == {
        "x-ratelimit-limit-req-minute": "60",
        "x-ratelimit-remaining-req-minute": "59",
        "x-ratelimit-limit-tokens-minute": "500",
        "x-ratelimit-remaining-tokens-minute": "0",
    }
    models = WIRE.read(Operation.MODELS, "/v1/models", {})
    assert list(WIRE.headers(models, limits, Random(1))) == ["mistral-correlation-id"]
