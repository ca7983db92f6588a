"""Cohere's wire: refusals, identifiers, named events, tool plans, usage, errors, the limits of trial keys."""

import json
import re
from random import Random
from typing import Any

import pytest

from flyllm.testing.wires.base import BadRequest, Call, ErrorKind, Json, Limits, Operation, Reply, SimulatedToolCall
from flyllm.testing.wires.cohere import CohereWire

WIRE = CohereWire()
USER: Json = {"role": "user", "content": "Hi"}
LOOKING = Reply("Let me look.", tool_calls=(SimulatedToolCall("look", {"at": "this and that"}),))


def read(**changes: Any) -> Call:
    body = {k: v for k, v in {"model": "command-x", "messages": [USER], **changes}.items() if v is not ...}
    return WIRE.read(Operation.CHAT, "/v2/chat", body)


def events(reply: Reply) -> list[Json]:
    found = []
    for frame in WIRE.stream(read(), reply, Random(1)):
        name, data, *_ = frame.decode().split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


@pytest.mark.parametrize(
    ("method", "path", "body", "operation"),
    [
        ("POST", "/v2/chat", {}, Operation.CHAT),
        ("POST", "/v2/chat", {"stream": True}, Operation.STREAM),
        ("POST", "/v2/embed", {}, Operation.EMBEDDINGS),
        ("GET", "/v1/models?page_size=20", None, Operation.MODELS),
        ("POST", "/v1/chat", {}, None),
        ("POST", "/v2/v2/chat", {}, None),
    ],
)
def test_only_documented_paths_are_known(method: str, path: str, body: Any, operation: Operation | None) -> None:
    """Whether an answer is streamed is said in the body."""
    assert WIRE.operation(method, path, body) is operation


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": ...}, "a model parameter is required for this endpoint."),
        ({"messages": ...}, "invalid request: list of messages must not be empty"),
        ({"messages": []}, "invalid request: list of messages must not be empty"),
        ({"messages": "Hi"}, "invalid type: parameter messages is of type string but should be of type array."),
        ({"messages": [{"role": "model", "content": "x"}]}, "invalid request: role must be one of"),
        ({"messages": [{"role": "user", "content": ""}]}, "message must not be empty in a turn"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "tool call id must be provided with tool message"),
        ({"temperature": "hot"}, "invalid type: parameter temperature is of type string"),
        ({"p": 1}, "invalid request: p must be between 0.01 and 0.99 inclusive."),
        ({"k": 501}, "invalid request: k must be between 0 and 500 inclusive."),
    ],
)
def test_what_cohere_refuses_is_refused_in_its_words(changes: Json, message: str) -> None:
    """A malformed request is a 400 with a message in lower case."""
    with pytest.raises(BadRequest) as refusal:
        read(**changes)
    assert refusal.value.message.startswith(message)
    assert WIRE.error(refusal.value.kind, refusal.value.message, Random(1)).status == 400


def test_text_beside_tool_calls_is_the_tool_plan() -> None:
    """Such an answer has no content."""
    message = WIRE.chat(read(), LOOKING, Random(1))["message"]
    assert message["tool_plan"] == "Let me look."
    assert "content" not in message
    assert re.fullmatch("look_[a-z0-9]{12}", message["tool_calls"][0]["id"])
    assert message["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at":"this and that"}'}


def test_thoughts_are_a_content_of_their_own() -> None:
    """They come before the text."""
    message = WIRE.chat(read(), Reply("Yes.", reasoning="Hm."), Random(1))["message"]
    assert message["content"] == [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Yes."}]


def test_a_text_streams_as_named_events() -> None:
    """Each content starts, is filled and ends; the message ends with finish reason and usage."""
    found = events(Reply("a b", reasoning="hm", prompt_tokens=5, completion_tokens=3, cached_tokens=2))
    assert [(e["type"], e.get("index")) for e in found] == [
        ("message-start", None),
        ("content-start", 0),
        ("content-delta", 0),
        ("content-end", 0),
        ("content-start", 1),
        ("content-delta", 1),
        ("content-delta", 1),
        ("content-end", 1),
        ("message-end", None),
    ]
    assert found[-1]["delta"]["finish_reason"] == "COMPLETE"
    tokens = {"input_tokens": 5, "output_tokens": 3}
    assert found[-1]["delta"]["usage"] == {"billed_units": tokens, "tokens": tokens, "cached_tokens": 2}


def test_tool_calls_stream_as_named_events() -> None:
    """The plan first, then each call with its arguments in pieces that join to the whole."""
    found = events(LOOKING)
    kinds = list(dict.fromkeys(event["type"] for event in found))
    assert kinds == [
        "message-start",
        "tool-plan-delta",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-end",
        "message-end",
    ]
    cut = [e["delta"]["message"]["tool_calls"] for e in found if e["type"] == "tool-call-delta"]
    assert "".join(piece["function"]["arguments"] for piece in cut) == '{"at":"this and that"}'
    assert found[-1]["delta"]["finish_reason"] == "TOOL_CALL"


def test_an_error_inside_a_stream_ends_the_message() -> None:
    """There is no event for errors; the end of the message tells."""
    frame = WIRE.stream_error(ErrorKind.SERVER_ERROR, "broken", Random(1)).decode()
    assert frame.startswith("event: message-end\n")
    assert json.loads(frame.partition("data: ")[2])["delta"] == {"error": "broken", "finish_reason": "ERROR"}


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        (ErrorKind.AUTHENTICATION, 401, "invalid api token"),
        (ErrorKind.QUOTA, 402, "Please add or update your payment method"),
        (ErrorKind.MODEL_NOT_FOUND, 404, "model 'unknown-model' not found"),
        (ErrorKind.CONTEXT_LENGTH, 400, "too many tokens"),
        (ErrorKind.CONTENT_FILTER, 498, "your request was blocked"),
        (ErrorKind.RATE_LIMIT, 429, "You are past the per minute request limit"),
        (ErrorKind.OVERLOADED, 503, "service unavailable"),
    ],
)
def test_errors_have_their_documented_status_and_message(kind: ErrorKind, status: int, message: str) -> None:
    """A body has a message and an id, and no code."""
    reply = WIRE.error(kind, None, Random(1))
    body = json.loads(reply.body)
    assert reply.status == status
    assert list(body) == ["id", "message"]
    assert body["message"].startswith(message)


def test_embeddings_come_by_type() -> None:
    """Texts are limited in number and need an input type."""
    body = {"model": "e", "texts": ["a", "b"], "input_type": "search_query"}
    call = WIRE.read(Operation.EMBEDDINGS, "/v2/embed", body)
    answer = WIRE.embeddings(call, [[1.0], [2.0]], Random(1))
    assert (answer["embeddings"], answer["texts"]) == ({"float": [[1.0], [2.0]]}, ["a", "b"])
    bad: list[Json] = [{"texts": []}, {"texts": ["a"] * 97}, {"texts": [1]}, {"input_type": None}, {"model": None}]
    for change in bad:
        with pytest.raises(BadRequest):
            WIRE.read(Operation.EMBEDDINGS, "/v2/embed", {**body, **change})


def test_a_trial_keys_calls_are_counted_in_headers() -> None:
    """Tokens are not; without a limit there is the trace id alone."""
    assert list(WIRE.headers(read(), Limits(tokens=9), Random(1))) == ["x-debug-trace-id"]
    headers = WIRE.headers(read(), Limits(requests=20, remaining_requests=19), Random(1))
    assert headers["x-trial-endpoint-call-limit"] == "20"
    assert headers["x-trial-endpoint-call-remaining"] == "19"
