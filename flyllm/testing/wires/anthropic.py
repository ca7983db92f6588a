"""Anthropic's Messages API, as documented at platform.claude.com/docs and as recorded until mid 2026.

Input tokens are reported without the cached ones, output tokens with the thinking ones.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from json import dumps
from math import ceil
from random import Random
from string import ascii_letters, digits
from typing import Any

from flyllm._clock import SystemClock
from flyllm.testing.wires.anthropic_errors import ERRORS, check
from flyllm.testing.wires.base import (
    BadRequest,
    Call,
    ErrorKind,
    HttpReply,
    Json,
    Limits,
    Operation,
    Reply,
    SimulatedToolCall,
)
from flyllm.testing.wires.openai_parts import bearer, route, uuid
from flyllm.testing.wires.reading import text_of
from flyllm.testing.wires.sse import compact, pieces, sse

_BASE58 = "".join(sorted(set(digits + ascii_letters) - set("0OIl")))
_STOP_REASON = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


class AnthropicWire:
    """The wire format of Anthropic. `clock` gives seconds since the epoch, for the headers that name an instant."""

    provider = "anthropic"
    stream_content_type = "text/event-stream; charset=utf-8"

    def __init__(self, clock: Callable[[], float] = SystemClock.wall) -> None:
        self._clock = clock

    def operation(self, method: str, path: str, body: Json | None) -> Operation | None:
        """Return what the request asks for."""
        match method, route(path):
            case "POST", "/v1/messages":
                return Operation.STREAM if body and body.get("stream") is True else Operation.CHAT
            case "GET", "/v1/models":
                return Operation.MODELS
        return None

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Return the key from `x-api-key`, or from the Bearer token that newer SDKs send."""
        return headers.get("x-api-key") or bearer(headers)

    def read(self, operation: Operation, path: str, body: Json) -> Call:
        """Understand a request for a message; raise `BadRequest` where Anthropic answers 400."""
        if operation is Operation.MODELS:
            return Call(operation, "", "", body)
        check(body)
        return Call(operation, body["model"], text_of(body.get("system"), body["messages"]), body)

    def chat(self, call: Call, reply: Reply, rng: Random) -> Json:
        """Return a message."""
        message = _message(call, rng)
        content = [full for full, _ in _blocks(reply, rng)]
        usage = {**_input_usage(reply), "output_tokens": reply.completion_tokens, **_thinking_usage(reply)}
        return {**message, "content": content, **_ending(reply), "usage": {**usage, **_TIER}}

    def stream(self, call: Call, reply: Reply, rng: Random) -> Iterator[bytes]:
        """Yield the events of a streamed message."""
        usage = {**_input_usage(reply), "output_tokens": min(1, reply.completion_tokens), **_TIER}
        yield _event("message_start", message={**_message(call, rng), "content": [], **_NOT_ENDED, "usage": usage})
        for index, (full, deltas) in enumerate(_blocks(reply, rng)):
            yield _event("content_block_start", index=index, content_block=_emptied(full))
            if index == 0:
                yield _event("ping")
            for delta in deltas:
                yield _event("content_block_delta", index=index, delta=delta)
            yield _event("content_block_stop", index=index)
        usage = {**_input_usage(reply), "output_tokens": reply.completion_tokens, **_thinking_usage(reply)}
        del usage["cache_creation"]
        yield _event("message_delta", delta=_ending(reply), usage=usage)
        yield _event("message_stop")

    def stream_error(self, kind: ErrorKind, message: str | None, rng: Random) -> bytes:
        """Return an `error` event."""
        return _event("error", error={"type": ERRORS[kind].type, "message": message or ERRORS[kind].message})

    def models(self, names: Sequence[str]) -> Json:
        """Return one page with all models."""
        first, last = (names[0], names[-1]) if names else (None, None)
        return {"data": [_model(name) for name in names], "has_more": False, "first_id": first, "last_id": last}

    def embeddings(self, call: Call, vectors: Sequence[Sequence[float]], rng: Random) -> Json:
        """Raise `BadRequest`: Anthropic has no embeddings."""
        raise BadRequest("Not found", kind=ErrorKind.MODEL_NOT_FOUND)

    def error(self, kind: ErrorKind, message: str | None, rng: Random, param: str | None = None) -> HttpReply:
        """Return an error answer; its header repeats the request id of its body."""
        row, request_id = ERRORS[kind], _request_id(rng)
        error = {"type": row.type, "message": message or row.message}
        body = {"type": "error", "error": error, "request_id": request_id}
        return HttpReply(row.status, compact(body).encode(), {"request-id": request_id})

    def not_found(self, method: str, path: str, rng: Random) -> HttpReply:
        """Return the answer to an unknown path or method."""
        return self.error(ErrorKind.MODEL_NOT_FOUND, "Not found", rng)

    def headers(self, call: Call | None, limits: Limits, rng: Random) -> dict[str, str]:
        """Return the request id and, for each limited dimension, limit, remaining and the instant of its reset."""
        requests = (limits.requests, limits.remaining_requests, limits.reset_requests)
        tokens = (limits.tokens, limits.remaining_tokens, limits.reset_tokens)
        return {
            "request-id": _request_id(rng),
            "anthropic-organization-id": uuid(rng),
            **self._limit_headers("requests", *requests),
            **self._limit_headers("tokens", *tokens),
            **self._limit_headers("input-tokens", *tokens),
        }

    def _limit_headers(
        self, name: str, limit: int | None, remaining: int | None, reset: float | None
    ) -> dict[str, str]:
        if limit is None:
            return {}
        instant = datetime.fromtimestamp(ceil(self._clock() + (reset or 0)), UTC)
        return {
            f"anthropic-ratelimit-{name}-limit": str(limit),
            f"anthropic-ratelimit-{name}-remaining": str(limit if remaining is None else remaining),
            f"anthropic-ratelimit-{name}-reset": instant.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


_TIER = {"service_tier": "standard", "inference_geo": "global"}
_NOT_ENDED = {"stop_reason": None, "stop_sequence": None, "stop_details": None}


def _event(kind: str, **fields: Any) -> bytes:
    return sse({"type": kind, **fields}, kind)


def _message(call: Call, rng: Random) -> Json:
    return {"model": call.model, "id": _id("msg_01", 22, rng), "type": "message", "role": "assistant"}


def _ending(reply: Reply) -> Json:
    finish = "tool_calls" if reply.tool_calls and reply.finish == "stop" else reply.finish
    details = {"type": "refusal", "category": None, "explanation": None} if finish == "content_filter" else None
    return {"stop_reason": _STOP_REASON[finish], "stop_sequence": None, "stop_details": details}


def _input_usage(reply: Reply) -> Json:
    return {
        "input_tokens": reply.prompt_tokens - reply.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": reply.cached_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    }


def _thinking_usage(reply: Reply) -> Json:
    thinking = reply.reasoning_tokens
    return {"output_tokens_details": {"thinking_tokens": thinking}} if thinking else {}


def _blocks(reply: Reply, rng: Random) -> Iterator[tuple[Json, list[Json]]]:
    """Yield each content block whole, and as the deltas that build it up in a stream."""
    if reply.reasoning:
        signature = b64encode(rng.randbytes(86)).decode()
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(reply.reasoning)]
        deltas.append({"type": "signature_delta", "signature": signature})
        yield {"type": "thinking", "thinking": reply.reasoning, "signature": signature}, deltas
    if reply.text:
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(reply.text)]
        yield {"type": "text", "text": reply.text}, deltas
    for tool in reply.tool_calls:
        yield _tool_use(tool, rng), [{"type": "input_json_delta", "partial_json": cut} for cut in _cuts(tool)]


def _emptied(block: Json) -> Json:
    """Return a block as it starts in a stream, before any delta."""
    return {**block, **{k: v for k, v in _EMPTY.items() if k in block}}


_EMPTY: Json = {"thinking": "", "signature": "", "text": "", "input": {}}


def _tool_use(tool: SimulatedToolCall, rng: Random) -> Json:
    block = {"type": "tool_use", "id": _id("toolu_01", 22, rng), "name": tool.name, "input": tool.arguments}
    return {**block, "caller": {"type": "direct"}}


def _cuts(tool: SimulatedToolCall) -> list[str]:
    # The first piece is always empty, and no other follows when there are no arguments (recorded).
    return ["", *(pieces(dumps(tool.arguments, ensure_ascii=False)) if tool.arguments else [])]


def _model(name: str) -> Json:
    return {
        "type": "model",
        "id": name,
        "display_name": name.replace("-", " ").title(),
        "created_at": "2026-01-01T00:00:00Z",
        "max_input_tokens": 200000,
        "max_tokens": 64000,
        "capabilities": None,
    }


def _request_id(rng: Random) -> str:
    return _id("req_011C", 20, rng)


def _id(prefix: str, length: int, rng: Random) -> str:
    return prefix + "".join(rng.choices(_BASE58, k=length))
