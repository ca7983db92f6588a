"""The chat-completions API as OpenAI serves it, with the points at which other providers differ.

A provider that serves this shape is a subclass that overrides those points; the rest is common.
"""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from flyllm.testing.wires import efforts, forms_openai, openai_embeddings, openai_errors
from flyllm.testing.wires.base import (
    Call,
    ErrorKind,
    HttpReply,
    Json,
    Limits,
    Operation,
    Reply,
    SimulatedToolCall,
)
from flyllm.testing.wires.openai_checks import check, code_of, required
from flyllm.testing.wires.openai_messages import check_openai
from flyllm.testing.wires.openai_parts import (
    CREATED,
    alphanumeric,
    arguments,
    bearer,
    hexadecimal,
    obfuscation,
    prompt_of,
    rate_limit_headers,
    route,
)
from flyllm.testing.wires.sse import compact, pieces, sse


class OpenAIChatWire:
    """`/v1/chat/completions`, `/v1/models` and `/v1/embeddings` of OpenAI."""

    provider: ClassVar[str] = "openai"
    chat_paths: ClassVar[tuple[str, ...]] = ("/v1/chat/completions",)
    models_paths: ClassVar[tuple[str, ...]] = ("/v1/models",)
    embeddings_paths: ClassVar[tuple[str, ...]] = ("/v1/embeddings",)
    embedding_rules: ClassVar[openai_embeddings.EmbeddingRules] = openai_embeddings.OPENAI
    errors: ClassVar[openai_errors.ErrorTable] = openai_errors.OPENAI
    owner: ClassVar[str] = "openai"
    obfuscates: ClassVar[bool] = True
    check_messages = staticmethod(check_openai)
    check_effort = staticmethod(efforts.check_openai)
    check_form = staticmethod(forms_openai.check_chat)

    # ---- requests

    def operation(self, method: str, path: str, body: Json | None) -> Operation | None:
        """Return what the request asks for; None for an unknown path or method."""
        path = route(path)
        if method == "POST" and path in self.chat_paths:
            return Operation.STREAM if body is not None and body.get("stream") is True else Operation.CHAT
        if method == "POST" and path in self.embeddings_paths:
            return Operation.EMBEDDINGS
        return Operation.MODELS if method == "GET" and path in self.models_paths else None

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Return the bearer token."""
        return bearer(headers)

    def read(self, operation: Operation, path: str, body: Json) -> Call:
        """Understand a request; raise `BadRequest` where a required field is missing."""
        if operation is Operation.MODELS:
            return Call(operation, "", "", body)
        if operation is Operation.EMBEDDINGS:
            return openai_embeddings.read_embedding(body, self.embedding_rules)
        model = required(body, "model")
        messages = required(body, "messages", "array")
        check(body)
        self.check_messages(messages)
        self.check_effort(body)
        self.check_form(body)
        return Call(operation, model, prompt_of(messages), body)

    # ---- answers

    def chat(self, call: Call, reply: Reply, rng: Random) -> Json:
        """Return a whole `chat.completion`."""
        answer = self._envelope(call, "chat.completion", rng)
        answer["choices"] = [
            {
                "index": 0,
                "message": self._message(reply, rng),
                "logprobs": None,
                "finish_reason": self._finish(reply),
            }
        ]
        answer["usage"] = self._usage(reply)
        return answer

    def stream(self, call: Call, reply: Reply, rng: Random) -> Iterator[bytes]:
        """Yield `chat.completion.chunk` events and `[DONE]`."""
        envelope = self._envelope(call, "chat.completion.chunk", rng)
        options = call.body.get("stream_options") or {}
        wants_usage = bool(options.get("include_usage"))
        pads = self.obfuscates and options.get("include_obfuscation") is not False
        for chunk in self._chunks(envelope, reply, wants_usage, rng):
            yield sse({**chunk, "obfuscation": obfuscation(rng)} if pads else chunk)
        yield sse("[DONE]")

    def _chunks(self, envelope: Json, reply: Reply, wants_usage: bool, rng: Random) -> Iterator[Json]:
        for delta in self._deltas(reply, rng):
            yield self._chunk(envelope, delta, None, wants_usage, rng)
        yield self._last_chunk(envelope, reply, wants_usage, rng)
        if wants_usage:
            yield self._usage_chunk(envelope, reply, rng)

    def _envelope(self, call: Call, kind: str, rng: Random) -> Json:
        return {
            "id": f"chatcmpl-{alphanumeric(rng, 29)}",
            "object": kind,
            "created": CREATED,
            "model": call.model,
            "service_tier": "default",
            "system_fingerprint": f"fp_{hexadecimal(rng, 10)}",
        }

    def _message(self, reply: Reply, rng: Random) -> Json:
        message: Json = {"role": "assistant", "content": self._content(reply), "refusal": None, "annotations": []}
        if reply.tool_calls:
            message["tool_calls"] = [self._tool_call(n, c, rng) for n, c in enumerate(reply.tool_calls)]
        return message

    def _content(self, reply: Reply) -> str | None:
        return None if reply.tool_calls and not reply.text else reply.text

    def _tool_call(self, index: int, call: SimulatedToolCall, rng: Random) -> Json:
        return {
            "id": self._tool_id(rng),
            "type": "function",
            "function": {"name": call.name, "arguments": arguments(call)},
        }

    def _tool_id(self, rng: Random) -> str:
        return f"call_{alphanumeric(rng, 24)}"

    def _finish(self, reply: Reply) -> str:
        return "tool_calls" if reply.tool_calls and reply.finish == "stop" else reply.finish

    def _usage(self, reply: Reply) -> Json:
        return {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": reply.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": reply.reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    # ---- events

    def _deltas(self, reply: Reply, rng: Random) -> Iterator[Json]:
        opening: Json = {"role": "assistant", "content": self._content(reply) and "", "refusal": None}
        yield opening
        for piece in pieces(reply.text):
            yield {"content": piece}
        for index, call in enumerate(reply.tool_calls):
            whole = self._tool_call(index, call, rng)
            text = whole["function"]["arguments"]
            whole["function"]["arguments"] = ""
            yield {"tool_calls": [{"index": index, **whole}]}
            for at in range(0, len(text), 8):
                yield {"tool_calls": [{"index": index, "function": {"arguments": text[at : at + 8]}}]}

    def _chunk(self, envelope: Json, delta: Json, finish: str | None, usage: bool, rng: Random) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunk: Json = {**envelope, "choices": [choice]}
        if usage:
            chunk["usage"] = None
        return chunk

    def _last_chunk(self, envelope: Json, reply: Reply, usage: bool, rng: Random) -> Json:
        return self._chunk(envelope, {}, self._finish(reply), usage, rng)

    def _usage_chunk(self, envelope: Json, reply: Reply, rng: Random) -> Json:
        return {**envelope, "choices": [], "usage": self._usage(reply)}

    @property
    def stream_content_type(self) -> str:
        """Content type of streamed answers."""
        return "text/event-stream; charset=utf-8"

    def stream_error(self, kind: ErrorKind, message: str | None, rng: Random) -> bytes:
        """Return a data-only event whose payload is an error object."""
        return sse({"error": self._error_object(kind, message, None)})

    # ---- the rest of the API

    def models(self, names: Sequence[str]) -> Json:
        """Return the model list."""
        return {"object": "list", "data": [self._model(name) for name in names]}

    def _model(self, name: str) -> Json:
        return {"id": name, "object": "model", "created": CREATED, "owned_by": self.owner}

    def embeddings(self, call: Call, vectors: Sequence[Sequence[float]], rng: Random) -> Json:
        """Return embeddings as lists, or as base64 where the request asks for that."""
        encoding = call.body.get("encoding_format")
        data = [
            {"object": "embedding", "index": n, "embedding": openai_embeddings.packed(vector, encoding)}
            for n, vector in enumerate(vectors)
        ]
        tokens = sum(max(1, -(-len(text) // 4)) for text in call.inputs)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "data": data, "model": call.model, "usage": usage}

    def error(self, kind: ErrorKind, message: str | None, rng: Random, param: str | None = None) -> HttpReply:
        """Return an error answer."""
        body = self._error_body(kind, message, param)
        return HttpReply(self.errors[kind].status, compact(body).encode())

    def not_found(self, method: str, path: str, rng: Random) -> HttpReply:
        """Return the answer to an unknown path or method."""
        message = f"Invalid URL ({method} {route(path)})"
        body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
        return HttpReply(404, compact(body).encode())

    def _error_body(self, kind: ErrorKind, message: str | None, param: str | None) -> Any:
        return {"error": self._error_object(kind, message, param)}

    def _error_object(self, kind: ErrorKind, message: str | None, param: str | None) -> Json:
        found = openai_errors.error_object(self.errors[kind], message, param)
        if kind is ErrorKind.INVALID_REQUEST and message is not None:
            found["code"] = code_of(message)
        return found

    def headers(self, call: Call | None, limits: Limits, rng: Random) -> dict[str, str]:
        """Return request id, processing time and rate limit headers."""
        return {
            "x-request-id": f"req_{hexadecimal(rng, 32)}",
            "openai-processing-ms": str(rng.randint(80, 900)),
            "openai-version": "2020-10-01",
            **rate_limit_headers(limits),
        }
