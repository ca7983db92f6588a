"""Anthropic's wire: routing, refusals, identifiers, events, errors and limits."""

import json
import re
from random import Random
from typing import Any

import pytest

from flyllm.testing.wires.anthropic import AnthropicWire
from flyllm.testing.wires.base import BadRequest, Call, ErrorKind, Json, Limits, Operation, Reply, SimulatedToolCall

WIRE = AnthropicWire(clock=lambda: 1_767_225_600.2)
BODY: Json = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
LOOKING = Reply("Ok then.", reasoning="Hm.", tool_calls=(SimulatedToolCall("look", {"at": "it"}),))


def read(**changes: Any) -> Call:
    body = {k: v for k, v in {**BODY, **changes}.items() if v is not ...}
    return WIRE.read(Operation.CHAT, "/v1/messages", body)


def events(reply: Reply, seed: int = 1) -> list[Json]:
    frames = WIRE.stream(read(), reply, Random(seed))
    return [json.loads(frame.decode().partition("data: ")[2]) for frame in frames]


@pytest.mark.parametrize(
    ("method", "path", "body", "operation"),
    [
        ("POST", "/v1/messages", {}, Operation.CHAT),
        ("POST", "/v1/messages?beta=true", {"stream": True}, Operation.STREAM),
        ("GET", "/v1/models?limit=20", None, Operation.MODELS),
        ("GET", "/v1/messages", None, None),
        ("POST", "/v1/v1/messages", {}, None),
        ("POST", "/v1/embeddings", {}, None),
    ],
)
def test_only_documented_paths_are_known(method: str, path: str, body: Any, operation: Operation | None) -> None:
    """Whether a message is streamed is said in the body."""
    assert WIRE.operation(method, path, body) is operation


def test_the_key_is_in_either_header() -> None:
    """Older SDKs send x-api-key, newer ones a Bearer token."""
    assert WIRE.key({"x-api-key": "a"}) == "a"
    assert WIRE.key({"authorization": "Bearer b"}) == "b"
    assert WIRE.key({}) is None


def test_the_prompt_is_all_text_of_system_and_messages() -> None:
    """Blocks of text count, other blocks do not."""
    image = {"type": "image", "source": {"type": "url", "url": "https://x"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "one"}, image]}]
    assert read(system="be brief", messages=messages).prompt == "be brief\none"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": ...}, "model: Field required"),
        ({"messages": ...}, "messages: Field required"),
        ({"max_tokens": ...}, "max_tokens: Field required"),
        ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": "Hi"}, "messages: Input should be a valid list"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages.0: user messages must have non-empty content"),
        ({"messages": [{"role": "system", "content": "x"}]}, 'messages: Unexpected role "system"'),
        ({"messages": [{"role": "tool", "content": "x"}]}, 'messages: Unexpected role "tool"'),
        ({"temperature": "hot"}, "temperature: Input should be a valid number"),
        ({"temperature": 1.5}, "temperature: Input should be less than or equal to 1"),
        ({"top_k": -1}, "top_k: Input should be greater than or equal to 0"),
        ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
        ({"seed": 1}, "seed: Extra inputs are not permitted"),
        ({"presence_penalty": 0}, "presence_penalty: Extra inputs are not permitted"),
    ],
)
def test_what_anthropic_refuses_is_refused_in_its_words(changes: Json, message: str) -> None:
    """A malformed request is an invalid_request_error that names the field."""
    with pytest.raises(BadRequest) as refusal:
        read(**changes)
    assert refusal.value.message.startswith(message)
    assert refusal.value.kind is ErrorKind.INVALID_REQUEST


def test_ids_look_like_anthropics() -> None:
    """Messages, tool calls and requests have prefixed ids of 24 base-58 characters."""
    answer = WIRE.chat(read(), LOOKING, Random(1))
    base58 = "[1-9A-HJ-NP-Za-km-z]"
    assert re.fullmatch(f"msg_01{base58}{{22}}", answer["id"])
    assert re.fullmatch(f"toolu_01{base58}{{22}}", answer["content"][2]["id"])
    assert re.fullmatch(f"req_011C{base58}{{20}}", WIRE.headers(None, Limits(), Random(1))["request-id"])


def test_a_seed_fixes_every_byte() -> None:
    """The same random stream gives the same bytes, another one other ids."""
    once, again, other = (list(WIRE.stream(read(), LOOKING, Random(seed))) for seed in (1, 1, 2))
    assert once == again != other


def test_a_stream_builds_up_the_whole_answer() -> None:
    """Blocks of a stream, filled with their deltas, are the blocks of the whole answer."""
    whole = WIRE.chat(read(), LOOKING, Random(1))
    blocks: list[Json] = []
    arguments = ""
    for event in events(LOOKING):
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
        if event["type"] == "content_block_delta":
            for name, piece in event["delta"].items():
                if name == "partial_json":
                    arguments += piece
                elif name != "type":
                    blocks[event["index"]][name] += piece
    blocks[2]["input"] = json.loads(arguments)
    assert blocks == whole["content"]


def test_cached_tokens_are_not_among_the_input_tokens() -> None:
    """Usage splits the prompt; the end of a stream repeats it, with all output tokens."""
    reply = Reply("x", prompt_tokens=50, cached_tokens=30, completion_tokens=9, reasoning_tokens=4)
    usage = WIRE.chat(read(), reply, Random(1))["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (20, 30, 9)
    start, end = events(reply)[0], events(reply)[-2]
    assert start["message"]["usage"]["input_tokens"] == end["usage"]["input_tokens"] == 20
    assert end["usage"]["output_tokens"] == 9
    assert end["usage"]["output_tokens_details"] == {"thinking_tokens": 4}


@pytest.mark.parametrize(
    ("kind", "status", "name"),
    [
        (ErrorKind.AUTHENTICATION, 401, "authentication_error"),
        (ErrorKind.QUOTA, 400, "invalid_request_error"),
        (ErrorKind.RATE_LIMIT, 429, "rate_limit_error"),
        (ErrorKind.OVERLOADED, 529, "overloaded_error"),
    ],
)
def test_errors_have_their_documented_status_and_type(kind: ErrorKind, status: int, name: str) -> None:
    """The header repeats the request id of the body."""
    reply = WIRE.error(kind, None, Random(1))
    body = json.loads(reply.body)
    assert (reply.status, body["type"], body["error"]["type"]) == (status, "error", name)
    assert reply.headers["request-id"] == body["request_id"]


def test_a_too_low_credit_balance_says_so() -> None:
    """Status and type of a missing payment are those of any bad request; only the message tells."""
    assert b"credit balance is too low" in WIRE.error(ErrorKind.QUOTA, None, Random(1)).body


def test_an_error_inside_a_stream_is_an_event_named_error() -> None:
    """The event carries the error object alone."""
    frame = WIRE.stream_error(ErrorKind.OVERLOADED, None, Random(1)).decode()
    assert frame.startswith("event: error\ndata: ")
    assert json.loads(frame.partition("data: ")[2])["error"] == {"type": "overloaded_error", "message": "Overloaded"}


def test_limits_are_told_with_the_instant_of_their_reset() -> None:
    """Reset is an RFC 3339 instant, rounded up to a whole second; unlimited dimensions are not mentioned."""
    limits = Limits(requests=50, remaining_requests=49, reset_requests=1.5)
    headers = WIRE.headers(read(), limits, Random(1))
    assert {k: v for k, v in headers.items() if k.startswith("anthropic-ratelimit-")} == {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:02Z",
    }
    tokens = WIRE.headers(read(), Limits(tokens=10), Random(1))
    assert tokens["anthropic-ratelimit-input-tokens-remaining"] == tokens["anthropic-ratelimit-tokens-limit"] == "10"
