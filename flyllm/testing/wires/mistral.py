"""Mistral's API, as documented at docs.mistral.ai/api and as recorded until mid 2026.

A model that thinks answers with a list of chunks, any other with a string; usage rides on the last chunk of a stream.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import ClassVar

from flyllm.testing.wires.base import (
    BadRequest,
    Call,
    ErrorKind,
    HttpReply,
    Json,
    Limits,
    Operation,
    Reply,
)
from flyllm.testing.wires.mistral_errors import check, error_body, require
from flyllm.testing.wires.openai_parts import CREATED, alphanumeric, arguments, bearer, hexadecimal, route, uuid
from flyllm.testing.wires.reading import is_a, text_of, token_count
from flyllm.testing.wires.sse import compact, pieces, sse

# Mistral has no word of its own for filtered content; a moderated request is refused (403).
_FINISH_REASON = {"stop": "stop", "length": "length", "tool_calls": "tool_calls", "content_filter": "error"}
# Of one embedding call; what is beyond is refused with code 3210.
_MAX_TEXTS, _MAX_TOKENS = 512, 16_384


class MistralWire:
    """The wire format of Mistral."""

    provider: ClassVar[str] = "mistral"
    stream_content_type: ClassVar[str] = "text/event-stream; charset=utf-8"

    def operation(self, method: str, path: str, body: Json | None) -> Operation | None:
        """Return what the request asks for."""
        match method, route(path):
            case "POST", "/v1/chat/completions":
                return Operation.STREAM if body and body.get("stream") is True else Operation.CHAT
            case "POST", "/v1/embeddings":
                return Operation.EMBEDDINGS
            case "GET", "/v1/models":
                return Operation.MODELS
        return None

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Return the Bearer token."""
        return bearer(headers)

    def read(self, operation: Operation, path: str, body: Json) -> Call:
        """Understand a request; raise `BadRequest` where Mistral answers 400 or 422."""
        if operation is Operation.MODELS:
            return Call(operation, "", "", body)
        if operation is Operation.EMBEDDINGS:
            return _read_embedding(body)
        check(body)
        return Call(operation, body["model"], text_of(body["messages"]), body)

    def chat(self, call: Call, reply: Reply, rng: Random) -> Json:
        """Return a completion."""
        reply = _prefixed(call, reply)
        envelope = _envelope(call, "chat.completion", rng)
        message = {"role": "assistant", "tool_calls": _tool_calls(reply, rng) or None, "content": _content(reply)}
        choice = {"index": 0, "finish_reason": _finish(reply), "message": message}
        return {**envelope, "usage": _usage(reply), "choices": [choice]}

    def stream(self, call: Call, reply: Reply, rng: Random) -> Iterator[bytes]:
        """Yield the chunks of a streamed completion and `[DONE]`."""
        reply = _prefixed(call, reply)
        envelope = _envelope(call, "chat.completion.chunk", rng)
        yield _chunk(envelope, {"role": "assistant", "content": ""})
        for piece in pieces(reply.reasoning):
            yield _chunk(envelope, {"content": [_thinking(piece)]})
        for piece in pieces(reply.text):
            yield _chunk(envelope, {"content": piece})
        last: Json = {"content": ""}
        if reply.tool_calls:
            last["tool_calls"] = _tool_calls(reply, rng)
        yield _chunk(envelope, last, _finish(reply), _usage(reply))
        yield sse("[DONE]")

    def stream_error(self, kind: ErrorKind, message: str | None, rng: Random) -> bytes:
        """Return an event with an error body."""
        return sse(error_body(kind, message, None)[1])

    def models(self, names: Sequence[str]) -> Json:
        """Return the model list."""
        return {"object": "list", "data": [_model(name) for name in names]}

    def embeddings(self, call: Call, vectors: Sequence[Sequence[float]], rng: Random) -> Json:
        """Return one embedding per input."""
        data = [{"object": "embedding", "embedding": list(v), "index": n} for n, v in enumerate(vectors)]
        tokens = token_count(call.inputs)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0}
        return {"id": hexadecimal(rng, 32), "object": "list", "data": data, "model": call.model, "usage": usage}

    def error(self, kind: ErrorKind, message: str | None, rng: Random, param: str | None = None) -> HttpReply:
        """Return an error answer."""
        status, body = error_body(kind, message, param)
        return HttpReply(status, compact(body).encode())

    def not_found(self, method: str, path: str, rng: Random) -> HttpReply:
        """Return the answer to an unknown path or method, which comes from Mistral's gateway."""
        body = {"message": "no Route matched with those values", "request_id": hexadecimal(rng, 32)}
        return HttpReply(404, compact(body).encode(), content_type="application/json; charset=utf-8")

    def headers(self, call: Call | None, limits: Limits, rng: Random) -> dict[str, str]:
        """Return the correlation id and, on inference, the limits per minute; Mistral names no time of reset."""
        headers = {"mistral-correlation-id": uuid(rng)}
        if call is None or call.operation is Operation.MODELS:
            return headers
        for name, limit, remaining in (
            ("req", limits.requests, limits.remaining_requests),
            ("tokens", limits.tokens, limits.remaining_tokens),
        ):
            if limit is not None:
                headers[f"x-ratelimit-limit-{name}-minute"] = str(limit)
                headers[f"x-ratelimit-remaining-{name}-minute"] = str(limit if remaining is None else remaining)
        return headers


def _read_embedding(body: Json) -> Call:
    require(body, "model", "input")
    given = body["input"]
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadRequest("Input should be a valid string", "input")
    if not texts:
        raise BadRequest("List should have at least 1 item after validation, not 0", "input")
    if len(texts) > _MAX_TEXTS:
        raise BadRequest("Too many inputs in request, split into more batches.")
    if (tokens := token_count(texts)) > _MAX_TOKENS:
        raise BadRequest(f"Too many tokens in batch. Max is {_MAX_TOKENS} got {tokens}")
    size = body.get("output_dimension")
    if size is not None and not (is_a(size, "integer") and size > 0):
        raise BadRequest("Input should be a valid integer", "output_dimension")
    return Call(Operation.EMBEDDINGS, body["model"], "\n".join(texts), body, tuple(texts), size)


def _prefixed(call: Call, reply: Reply) -> Reply:
    """Return the reply with the text that the request has it begin with: Mistral repeats that."""
    last = call.body["messages"][-1]
    return replace(reply, text=last["content"] + reply.text) if last.get("prefix") else reply


def _envelope(call: Call, kind: str, rng: Random) -> Json:
    return {"id": hexadecimal(rng, 32), "object": kind, "created": CREATED, "model": call.model}


def _chunk(envelope: Json, delta: Json, finish: str | None = None, usage: Json | None = None) -> bytes:
    chunk = {**envelope, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return sse(chunk if usage is None else {**chunk, "usage": usage})


def _finish(reply: Reply) -> str:
    return _FINISH_REASON["tool_calls" if reply.tool_calls and reply.finish == "stop" else reply.finish]


def _content(reply: Reply) -> str | list[Json]:
    if not reply.reasoning:
        return reply.text
    return [_thinking(reply.reasoning), *([{"type": "text", "text": reply.text}] if reply.text else [])]


def _thinking(text: str) -> Json:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def _tool_calls(reply: Reply, rng: Random) -> list[Json]:
    return [
        {"id": alphanumeric(rng, 9), "function": {"name": tool.name, "arguments": arguments(tool)}, "index": index}
        for index, tool in enumerate(reply.tool_calls)
    ]


def _usage(reply: Reply) -> Json:
    return {
        "prompt_tokens": reply.prompt_tokens,
        "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        "completion_tokens": reply.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
    }


def _model(name: str) -> Json:
    embeds = "embed" in name
    return {
        "id": name,
        "object": "model",
        "created": CREATED,
        "owned_by": "mistralai",
        "capabilities": {
            "completion_chat": not embeds,
            "completion_fim": False,
            "function_calling": not embeds,
            "fine_tuning": False,
            "vision": False,
        },
        "name": name,
        "description": f"Simulated {name}",
        "max_context_length": 8192 if embeds else 131072,
        "aliases": [],
        "deprecation": None,
        "default_model_temperature": None if embeds else 0.3,
        "type": "base",
    }
