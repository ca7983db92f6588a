"""Ollama's own API (/api), as documented at docs.ollama.com/api.

Answers stream unless `stream` is false; a stream is lines of JSON, and durations are nanoseconds.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, ClassVar

from flyllm.testing.wires import forms_native
from flyllm.testing.wires.base import BadRequest, Call, ErrorKind, HttpReply, Json, Limits, Operation, Reply
from flyllm.testing.wires.efforts import check_think
from flyllm.testing.wires.message_parts import data_of
from flyllm.testing.wires.openai_parts import CREATED, bearer, hexadecimal, lowercase, route
from flyllm.testing.wires.reading import Fault, Rule, first_fault, text_of, token_count, type_of
from flyllm.testing.wires.sse import compact, pieces

_LINE_EVERY = timedelta(milliseconds=20)
# Ollama has no content filter: what a model refuses is an answer like any other.
_DONE_REASON = {"stop": "stop", "length": "length", "tool_calls": "stop", "content_filter": "stop"}
_ERRORS = {
    ErrorKind.INVALID_REQUEST: (400, "invalid request"),
    ErrorKind.AUTHENTICATION: (401, "unauthorized"),
    # Quota and rate limits are those of Ollama's cloud models.
    ErrorKind.QUOTA: (
        429,
        "you have reached your weekly usage limit, upgrade for higher limits: https://ollama.com/upgrade",
    ),
    ErrorKind.PERMISSION: (403, "cloud model access is disabled or not available"),
    ErrorKind.MODEL_NOT_FOUND: (404, "model 'unknown-model' not found"),
    ErrorKind.CONTEXT_LENGTH: (400, "prompt too long; exceeded max context length by 4096 tokens"),
    ErrorKind.CONTENT_FILTER: (400, "the request was blocked by a content filter"),
    ErrorKind.RATE_LIMIT: (429, "too many requests"),
    ErrorKind.SERVER_ERROR: (500, "the model failed to generate a response"),
    ErrorKind.OVERLOADED: (503, "server busy, please try again.  maximum pending requests exceeded"),
}
_RULES = {
    "model": Rule("string"),
    "messages": Rule("array"),
    "stream": Rule("boolean"),
    "options": Rule("object"),
    "tools": Rule("array"),
    "dimensions": Rule("integer"),
}
_OPTIONS = {
    "temperature": Rule("number"),
    "top_p": Rule("number"),
    "top_k": Rule("number"),
    "num_predict": Rule("number"),
    "num_ctx": Rule("number"),
    "seed": Rule("number"),
    "presence_penalty": Rule("number"),
    "frequency_penalty": Rule("number"),
    "stop": Rule("array"),
}
_MESSAGE = {
    "role": Rule("string"),
    "content": Rule("string"),
    "images": Rule("array"),
    "tool_calls": Rule("array"),
}
_GO_TYPES = {
    "model": "string",
    "messages": "[]api.Message",
    "stream": "bool",
    "options": "map[string]interface {}",
    "tools": "api.Tools",
    "dimensions": "int",
    "messages.role": "string",
    "messages.content": "string",
    "messages.images": "[]api.ImageData",
    "messages.tool_calls": "[]api.ToolCall",
}
# Integers may be written as floats; only these two are floats to Ollama.
_FLOAT_OPTIONS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")


class OllamaWire:
    """The wire format of Ollama's own API."""

    provider: ClassVar[str] = "ollama"
    stream_content_type: ClassVar[str] = "application/x-ndjson"

    def operation(self, method: str, path: str, body: Json | None) -> Operation | None:
        """Return what the request asks for."""
        match method, route(path):
            case "POST", "/api/chat":
                return Operation.CHAT if body and body.get("stream") is False else Operation.STREAM
            case "POST", "/api/embed":
                return Operation.EMBEDDINGS
            case "GET", "/api/tags":
                return Operation.MODELS
        return None

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Return the Bearer token, which only Ollama's cloud asks for."""
        return bearer(headers)

    def read(self, operation: Operation, path: str, body: Json) -> Call:
        """Understand a request; raise `BadRequest` where Ollama answers 400. No messages at all load the model."""
        if operation is Operation.MODELS:
            return Call(operation, "", "", body)
        if fault := first_fault(body, _RULES):
            raise BadRequest(_go_message(fault, fault.name), fault.name)
        if not body.get("model"):
            raise BadRequest("model is required", "model")
        if operation is Operation.EMBEDDINGS:
            return _read_embedding(body)
        _check_options(body.get("options") or {})
        check_think(body["model"], body.get("think"))
        forms_native.check_ollama(body)
        messages = body.get("messages") or []
        for message in messages:
            _check_message(message)
        return Call(operation, body["model"], text_of(messages), body)

    def chat(self, call: Call, reply: Reply, rng: Random) -> Json:
        """Return a whole answer."""
        if not call.body.get("messages"):
            return _loaded(call)
        message: Json = {"role": "assistant", "content": reply.text}
        if reply.reasoning:
            message["thinking"] = reply.reasoning
        if reply.tool_calls:
            message["tool_calls"] = _tool_calls(reply, rng)
        return {**_line(call, 0), "message": message, **_done(reply, rng)}

    def stream(self, call: Call, reply: Reply, rng: Random) -> Iterator[bytes]:
        """Yield the lines of a streamed answer; the last one has the counts."""
        if not call.body.get("messages"):
            yield _ndjson(_loaded(call))
            return
        number = 0
        for number, delta in enumerate(_deltas(reply, rng), 1):
            yield _ndjson({**_line(call, number - 1), "message": {"role": "assistant", **delta}, "done": False})
        message = {"role": "assistant", "content": ""}
        yield _ndjson({**_line(call, number), "message": message, **_done(reply, rng)})

    def stream_error(self, kind: ErrorKind, message: str | None, rng: Random) -> bytes:
        """Return a line with nothing but the error."""
        return _ndjson({"error": message or _ERRORS[kind][1]})

    def models(self, names: Sequence[str]) -> Json:
        """Return the local models; a name without a tag is that of its latest version."""
        return {"models": [_model(name if ":" in name else f"{name}:latest") for name in names]}

    def embeddings(self, call: Call, vectors: Sequence[Sequence[float]], rng: Random) -> Json:
        """Return one embedding per input."""
        return {
            "model": call.model,
            "embeddings": [list(vector) for vector in vectors],
            "total_duration": rng.randint(10**7, 10**8),
            "load_duration": rng.randint(10**6, 10**7),
            "prompt_eval_count": token_count(call.inputs),
        }

    def error(self, kind: ErrorKind, message: str | None, rng: Random, param: str | None = None) -> HttpReply:
        """Return an error answer."""
        status, text = _ERRORS[kind]
        body = compact({"error": message or text}).encode()
        return HttpReply(status, body, content_type="application/json; charset=utf-8")

    def not_found(self, method: str, path: str, rng: Random) -> HttpReply:
        """Return the answer to an unknown path or method."""
        return HttpReply(404, b"404 page not found", content_type="text/plain")

    def headers(self, call: Call | None, limits: Limits, rng: Random) -> dict[str, str]:
        """Return nothing: Ollama sends neither a request id nor rate limits."""
        return {}


def _read_embedding(body: Json) -> Call:
    given = body.get("input")
    texts = [given] if isinstance(given, str) else [] if given is None else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadRequest("invalid input type", "input")
    return Call(Operation.EMBEDDINGS, body["model"], "\n".join(texts), body, tuple(texts), body.get("dimensions"))


def _check_options(options: Json) -> None:
    if fault := first_fault(options, _OPTIONS):
        kind = "array" if fault.name == "stop" else "float32" if fault.name in _FLOAT_OPTIONS else "integer"
        raise BadRequest(f'option "{fault.name}" must be of type {kind}', fault.name)


def _check_message(message: Any) -> None:
    if not isinstance(message, dict):
        given = type_of(message)
        raise BadRequest(
            f"json: cannot unmarshal {given} into Go struct field ChatRequest.messages of type api.Message"
        )
    if fault := first_fault(message, _MESSAGE):
        raise BadRequest(_go_message(fault, f"messages.{fault.name}"), "messages")
    for image in message.get("images") or ():
        if not data_of(f"data:;base64,{image}"):
            raise BadRequest("illegal base64 data at input byte 0", "messages")
    for call in message.get("tool_calls") or ():
        if isinstance(call.get("function", {}).get("arguments"), str):
            where = "ChatRequest.messages.tool_calls.function.arguments of type api.ToolCallFunctionArguments"
            raise BadRequest(f"json: cannot unmarshal string into Go struct field {where}", "messages")


def _go_message(fault: Fault, path: str) -> str:
    given = {"boolean": "bool", "integer": "number"}.get(type_of(fault.value), type_of(fault.value))
    return f"json: cannot unmarshal {given} into Go struct field ChatRequest.{path} of type {_GO_TYPES[path]}"


def _ndjson(line: Json) -> bytes:
    return f"{compact(line)}\n".encode()


def _line(call: Call, number: int) -> Json:
    created = datetime.fromtimestamp(CREATED, UTC) + number * _LINE_EVERY
    return {"model": call.model, "created_at": created.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}


def _loaded(call: Call) -> Json:
    message = {"role": "assistant", "content": ""}
    return {**_line(call, 0), "message": message, "done": True, "done_reason": "load"}


def _done(reply: Reply, rng: Random) -> Json:
    load, prompt, said = (rng.randint(10**6, 10**8) for _ in range(3))
    return {
        "done": True,
        "done_reason": _DONE_REASON[reply.finish],
        "total_duration": load + prompt + said,
        "load_duration": load,
        "prompt_eval_count": reply.prompt_tokens,
        "prompt_eval_duration": prompt,
        "eval_count": reply.completion_tokens,
        "eval_duration": said,
    }


def _deltas(reply: Reply, rng: Random) -> Iterator[Json]:
    for piece in pieces(reply.reasoning):
        yield {"content": "", "thinking": piece}
    for piece in pieces(reply.text):
        yield {"content": piece}
    if reply.tool_calls:
        yield {"content": "", "tool_calls": _tool_calls(reply, rng)}


def _tool_calls(reply: Reply, rng: Random) -> list[Json]:
    return [
        {
            "id": f"call_{lowercase(rng, 8)}",
            "function": {"index": index, "name": tool.name, "arguments": tool.arguments},
        }
        for index, tool in enumerate(reply.tool_calls)
    ]


def _model(name: str) -> Json:
    family = name.partition(":")[0]
    return {
        "name": name,
        "model": name,
        "modified_at": "2026-01-01T00:00:00.000000000Z",
        "size": 2019393189,
        "digest": hexadecimal(Random(name), 64),
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": family,
            "families": [family],
            "parameter_size": "3.2B",
            "quantization_level": "Q4_K_M",
        },
    }
