"""Cohere's API v2, as documented at docs.cohere.com/v2/reference and as recorded in 2026.

Beside tool calls there is no text but a `tool_plan`; a reply's text becomes it.
"""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from flyllm.testing.wires.base import Call, ErrorKind, HttpReply, Json, Limits, Operation, Reply, SimulatedToolCall
from flyllm.testing.wires.cohere_errors import ERRORS, check, texts_to_embed
from flyllm.testing.wires.openai_parts import arguments, bearer, hexadecimal, lowercase, route, uuid
from flyllm.testing.wires.reading import text_of, token_count
from flyllm.testing.wires.sse import compact, pieces, sse

_FINISH_REASON = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL", "content_filter": "ERROR"}
_MONTHLY_TRIAL_CALLS = 1000


class CohereWire:
    """The wire format of Cohere's v2 API."""

    provider: ClassVar[str] = "cohere"
    stream_content_type: ClassVar[str] = "text/event-stream"

    def operation(self, method: str, path: str, body: Json | None) -> Operation | None:
        """Return what the request asks for."""
        match method, route(path):
            case "POST", "/v2/chat":
                return Operation.STREAM if body and body.get("stream") is True else Operation.CHAT
            case "POST", "/v2/embed":
                return Operation.EMBEDDINGS
            case "GET", "/v1/models":
                return Operation.MODELS
        return None

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Return the Bearer token."""
        return bearer(headers)

    def read(self, operation: Operation, path: str, body: Json) -> Call:
        """Understand a request; raise `BadRequest` where Cohere answers 400."""
        if operation is Operation.MODELS:
            return Call(operation, "", "", body)
        if operation is Operation.EMBEDDINGS:
            texts = texts_to_embed(body)
            return Call(operation, body["model"], "\n".join(texts), body, texts, body.get("output_dimension"))
        check(body)
        return Call(operation, body["model"], text_of(body["messages"]), body)

    def chat(self, call: Call, reply: Reply, rng: Random) -> Json:
        """Return a whole answer."""
        answer_id = uuid(rng)
        message: Json = {"role": "assistant"}
        if content := [{"type": kind, kind: text} for kind, text in _contents(reply)]:
            message["content"] = content
        if reply.tool_calls:
            message["tool_calls"] = [_tool_call(tool, rng) for tool in reply.tool_calls]
            message["tool_plan"] = reply.text
        return {"id": answer_id, "message": message, "finish_reason": _finish(reply), "usage": _usage(reply)}

    def stream(self, call: Call, reply: Reply, rng: Random) -> Iterator[bytes]:
        """Yield the events of a streamed answer."""
        opening = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        yield sse({"id": uuid(rng), "type": "message-start", "delta": {"message": opening}}, "message-start")
        for index, (kind, text) in enumerate(_contents(reply)):
            yield _event("content-start", index, content={"type": kind, kind: ""})
            for piece in pieces(text):
                yield _event("content-delta", index, content={kind: piece})
            yield _event("content-end", index)
        if reply.tool_calls:
            for piece in pieces(reply.text):
                yield _event("tool-plan-delta", tool_plan=piece)
        for index, tool in enumerate(reply.tool_calls):
            yield from _tool_events(index, tool, rng)
        ending = {"finish_reason": _finish(reply), "usage": _usage(reply)}
        yield sse({"type": "message-end", "delta": ending}, "message-end")

    def stream_error(self, kind: ErrorKind, message: str | None, rng: Random) -> bytes:
        """Return the end of a message that failed: Cohere has no event of its own for errors."""
        ending = {"error": message or ERRORS[kind][1], "finish_reason": "ERROR"}
        return sse({"type": "message-end", "delta": ending}, "message-end")

    def models(self, names: Sequence[str]) -> Json:
        """Return one page with all models."""
        return {"models": [_model(name) for name in names]}

    def embeddings(self, call: Call, vectors: Sequence[Sequence[float]], rng: Random) -> Json:
        """Return embeddings as floats, whatever types were asked for."""
        billed = {"input_tokens": token_count(call.inputs)}
        return {
            "id": uuid(rng),
            "texts": list(call.inputs),
            "embeddings": {"float": [list(vector) for vector in vectors]},
            "meta": {"api_version": {"version": "2"}, "billed_units": billed},
            "response_type": "embeddings_by_type",
        }

    def error(self, kind: ErrorKind, message: str | None, rng: Random, param: str | None = None) -> HttpReply:
        """Return an error answer."""
        status, text = ERRORS[kind]
        return HttpReply(status, compact({"id": uuid(rng), "message": message or text}).encode())

    def not_found(self, method: str, path: str, rng: Random) -> HttpReply:
        """Return the answer to an unknown path or method."""
        return HttpReply(404, b"404 page not found\n", content_type="text/plain; charset=utf-8")

    def headers(self, call: Call | None, limits: Limits, rng: Random) -> dict[str, str]:
        """Return the trace id and the limits of a trial key, which count calls only."""
        headers = {"x-debug-trace-id": hexadecimal(rng, 32)}
        if limits.requests is None:
            return headers
        remaining = limits.requests if limits.remaining_requests is None else limits.remaining_requests
        return headers | {
            "x-endpoint-monthly-call-limit": str(_MONTHLY_TRIAL_CALLS),
            "x-trial-endpoint-call-limit": str(limits.requests),
            "x-trial-endpoint-call-remaining": str(remaining),
        }


def _event(kind: str, index: int | None = None, **message: Any) -> bytes:
    event: Json = {"type": kind}
    if index is not None:
        event["index"] = index
    return sse({**event, "delta": {"message": message}} if message else event, kind)


def _tool_events(index: int, tool: SimulatedToolCall, rng: Random) -> Iterator[bytes]:
    call = _tool_call(tool, rng)
    text = call["function"]["arguments"]
    yield _event("tool-call-start", index, tool_calls={**call, "function": {"name": tool.name, "arguments": ""}})
    for at in range(0, len(text), 8):
        yield _event("tool-call-delta", index, tool_calls={"function": {"arguments": text[at : at + 8]}})
    yield _event("tool-call-end", index)


def _contents(reply: Reply) -> Iterator[tuple[str, str]]:
    if reply.reasoning:
        yield "thinking", reply.reasoning
    if not reply.tool_calls and (reply.text or not reply.reasoning):
        yield "text", reply.text


def _finish(reply: Reply) -> str:
    return _FINISH_REASON["tool_calls" if reply.tool_calls and reply.finish == "stop" else reply.finish]


def _tool_call(tool: SimulatedToolCall, rng: Random) -> Json:
    function = {"name": tool.name, "arguments": arguments(tool)}
    return {"id": f"{tool.name}_{lowercase(rng, 12)}", "type": "function", "function": function}


def _usage(reply: Reply) -> Json:
    tokens = {"input_tokens": reply.prompt_tokens, "output_tokens": reply.completion_tokens}
    cached = {"cached_tokens": reply.cached_tokens} if reply.cached_tokens else {}
    return {"billed_units": dict(tokens), "tokens": tokens, **cached}


def _model(name: str) -> Json:
    endpoints = ["embed"] if "embed" in name else ["chat", "generate"]
    return {
        "name": name,
        "is_deprecated": False,
        "endpoints": endpoints,
        "finetuned": False,
        "context_length": 256000,
        "tokenizer_url": f"https://storage.googleapis.com/cohere-public/tokenizers/{name}.json",
        "default_endpoints": [],
    }
