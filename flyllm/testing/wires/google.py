"""Google's Gemini API (v1beta and v1), as documented at ai.google.dev/api and as recorded until mid 2026.

A call of a function finishes with STOP; candidate tokens are reported without the tokens of thoughts.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

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
from flyllm.testing.wires.efforts import check_google
from flyllm.testing.wires.google_contents import check_turns, contents_of
from flyllm.testing.wires.google_errors import ERRORS, check, embedded, embedded_size, field, status_body
from flyllm.testing.wires.openai_parts import alphanumeric, lowercase, route
from flyllm.testing.wires.reading import text_of
from flyllm.testing.wires.sse import pieces

_MODELS = re.compile(r"/v1(?:beta|alpha)?/models")
_METHOD = re.compile(r"/v1(?:beta|alpha)?/models/([^/:]+):(\w+)")
_OPERATIONS = {
    "generateContent": Operation.CHAT,
    "streamGenerateContent": Operation.STREAM,
    "embedContent": Operation.EMBEDDINGS,
    "batchEmbedContents": Operation.EMBEDDINGS,
}
_FINISH_REASON = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}
_RATINGS = [
    {"category": "HARM_CATEGORY_HATE_SPEECH", "probability": "LOW", "blocked": True},
    {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "NEGLIGIBLE"},
    {"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"},
    {"category": "HARM_CATEGORY_SEXUALLY_EXPLICIT", "probability": "NEGLIGIBLE"},
]
_JSON_TYPE = "application/json; charset=UTF-8"
_AS_ARRAY = "$alt"
_ARRAY_START, _ARRAY_NEXT, _ARRAY_END = "[", ",\r\n", "]\n"
_NOT_FOUND = b"<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n"


class GoogleWire:
    """The wire format of the Gemini API."""

    provider: ClassVar[str] = "google"
    stream_content_type: ClassVar[str] = "text/event-stream"

    def operation(self, method: str, path: str, body: Json | None) -> Operation | None:
        """Return what the request asks for."""
        if method == "GET":
            return Operation.MODELS if _MODELS.fullmatch(route(path)) else None
        called = _METHOD.fullmatch(route(path))
        return _OPERATIONS.get(called[2]) if method == "POST" and called else None

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Return the key from `x-goog-api-key`."""
        return headers.get("x-goog-api-key")

    def read(self, operation: Operation, path: str, body: Json) -> Call:
        """Understand a request; raise `BadRequest` where Google answers 400."""
        called = _METHOD.fullmatch(route(path))
        model = unquote(called[1]) if called else ""
        if operation is Operation.MODELS:
            return Call(operation, "", "", body)
        if operation is Operation.EMBEDDINGS:
            inputs = tuple(text_of(content) for content in embedded(body))
            return Call(operation, model, "\n".join(inputs), body, inputs, embedded_size(body))
        check(body)
        check_turns(model, contents_of(body))
        check_google(model, field(field(body, "generationConfig") or {}, "thinkingConfig") or {})
        if operation is Operation.STREAM and parse_qs(urlsplit(path).query).get("alt") != ["sse"]:
            body = {**body, _AS_ARRAY: "json"}
        return Call(operation, model, text_of(field(body, "systemInstruction"), body["contents"]), body)

    def chat(self, call: Call, reply: Reply, rng: Random) -> Json:
        """Return a whole response."""
        parts = [part for _, part in _parts(reply, rng)]
        usage = _usage(reply, reply.reasoning_tokens, reply.completion_tokens - reply.reasoning_tokens)
        ending = {**_ending(reply), "index": 0}
        return _response(call, reply, _content(parts), ending, usage, alphanumeric(rng, 23))

    def stream(self, call: Call, reply: Reply, rng: Random) -> Iterator[bytes]:
        """Yield responses with a piece each; as elements of one JSON array unless `alt=sse` was asked for."""
        response_id = alphanumeric(rng, 23)
        parts = list(_parts(reply, rng, pieces)) or [("text", {})]
        thoughts = sum(kind == "thought" for kind, _ in parts)
        as_array = _AS_ARRAY in call.body
        for number, (_, part) in enumerate(parts, 1):
            last = number == len(parts)
            reasoning = _share(reply.reasoning_tokens, number, thoughts)
            said = _share(reply.completion_tokens - reply.reasoning_tokens, number - thoughts, len(parts) - thoughts)
            ending = {**(_ending(reply) if last else {}), "index": 0}
            content = _content([part] if part else [])
            usage = _usage(reply, reasoning, said)
            text = _compact(_response(call, reply, content, ending, usage, response_id))
            yield _array_frame(text, number == 1, last) if as_array else f"data: {text}\r\n\r\n".encode()

    def stream_type(self, call: Call) -> str:
        """Return the content type of the stream that answers `call`: without `alt=sse` it is plain JSON."""
        return _JSON_TYPE if _AS_ARRAY in call.body else self.stream_content_type

    def stream_error(self, kind: ErrorKind, message: str | None, rng: Random) -> bytes:
        """Return an event with an error body."""
        shown = ErrorKind.SERVER_ERROR if kind is ErrorKind.CONTENT_FILTER else kind
        return f"data: {_compact(status_body(shown, message, None, None))}\r\n\r\n".encode()

    def models(self, names: Sequence[str]) -> Json:
        """Return one page with all models; their names carry the collection they are in."""
        return {"models": [_model(name) for name in names]}

    def embeddings(self, call: Call, vectors: Sequence[Sequence[float]], rng: Random) -> Json:
        """Return one embedding, or a batch where a batch was asked for."""
        values = [{"values": list(vector)} for vector in vectors]
        return {"embeddings": values} if "requests" in call.body else {"embedding": values[0]}

    def error(
        self,
        kind: ErrorKind,
        message: str | None,
        rng: Random,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> HttpReply:
        """Return an error answer.

        `retry_after` (seconds) goes into the body of a rate limit, where Google says it. A blocked prompt is no
        error here: it is answered 200 with the reason of the block and no candidates.
        """
        if kind is ErrorKind.CONTENT_FILTER:
            call, blocked = Call(Operation.CHAT, "gemini-3-flash", "", {}), Reply(finish="content_filter")
            return HttpReply(200, _indented(self.chat(call, blocked, rng)), content_type=_JSON_TYPE)
        body = status_body(kind, message, param, retry_after)
        return HttpReply(ERRORS[kind].code, _indented(body), content_type=_JSON_TYPE)

    def not_found(self, method: str, path: str, rng: Random) -> HttpReply:
        """Return the answer to an unknown path or method, which comes from Google's front end."""
        return HttpReply(404, _NOT_FOUND, content_type="text/html; charset=UTF-8")

    def headers(self, call: Call | None, limits: Limits, rng: Random) -> dict[str, str]:
        """Return the timing header: Google tells neither a request id nor rate limits in headers."""
        return {"server-timing": f"gfet4t7; dur={rng.randint(80, 900)}"}


def _parts(reply: Reply, rng: Random, cut: Any = lambda text: [text] if text else []) -> Iterator[tuple[str, Json]]:
    """Yield the parts of an answer with their kind, its texts cut by `cut`."""
    for piece in cut(reply.reasoning):
        yield "thought", {"text": piece, "thought": True}
    for piece in cut(reply.text):
        yield "text", {"text": piece}
    for number, tool in enumerate(reply.tool_calls):
        yield "call", _function_call(tool, number == 0, rng)


def _function_call(tool: SimulatedToolCall, first: bool, rng: Random) -> Json:
    part: Json = {"functionCall": {"name": tool.name, "args": tool.arguments, "id": lowercase(rng, 8)}}
    # Of parallel calls only the first carries the signature of the thoughts before them.
    return {**part, "thoughtSignature": b64encode(rng.randbytes(86)).decode()} if first else part


def _response(call: Call, reply: Reply, content: Json, ending: Json, usage: Json, response_id: str) -> Json:
    tail = {"modelVersion": call.model, "responseId": response_id}
    if reply.finish == "content_filter" and not reply.text:
        blocked = {"blockReason": "PROHIBITED_CONTENT"}
        return {"promptFeedback": blocked, "usageMetadata": _usage(reply, 0, 0), **tail}
    return {"candidates": [{"content": content, **ending}], "usageMetadata": usage, **tail}


def _content(parts: list[Json]) -> Json:
    return {"parts": parts, "role": "model"} if parts else {"role": "model"}


def _ending(reply: Reply) -> Json:
    ending: Json = {"finishReason": _FINISH_REASON[reply.finish]}
    if reply.finish == "content_filter":
        ending["safetyRatings"] = _RATINGS
    elif reply.tool_calls and ending["finishReason"] == "STOP":
        ending["finishMessage"] = "Model generated function call(s)."
    return ending


def _usage(reply: Reply, reasoning: int, said: int) -> Json:
    prompt, cached = reply.prompt_tokens, reply.cached_tokens
    return {
        "promptTokenCount": prompt,
        # Absent while there is nothing but thoughts (recorded).
        **({"candidatesTokenCount": said} if said else {}),
        "totalTokenCount": prompt + reasoning + said,
        **({"cachedContentTokenCount": cached, "cacheTokensDetails": _text_tokens(cached)} if cached else {}),
        "promptTokensDetails": _text_tokens(prompt),
        **({"thoughtsTokenCount": reasoning} if reasoning else {}),
        "serviceTier": "standard",
    }


def _text_tokens(count: int) -> list[Json]:
    return [{"modality": "TEXT", "tokenCount": count}]


def _share(total: int, done: int, steps: int) -> int:
    """Return how much of `total` is there after `done` of `steps` equal steps; all of it where there are none."""
    return total * min(max(done, 0), steps) // steps if steps else total


def _array_frame(text: str, first: bool, last: bool) -> bytes:
    return f"{_ARRAY_START if first else _ARRAY_NEXT}{text}{_ARRAY_END if last else ''}".encode()


def _compact(body: Json) -> str:
    return json.dumps(body, separators=(",", ": "), ensure_ascii=False)


def _indented(body: Json) -> bytes:
    return (json.dumps(body, indent=2, ensure_ascii=False) + "\n").encode()


def _model(name: str) -> Json:
    embeds = "embed" in name
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "description": f"Simulated {name}",
        "inputTokenLimit": 2048 if embeds else 1048576,
        "outputTokenLimit": 1 if embeds else 65536,
        "supportedGenerationMethods": ["embedContent"] if embeds else ["generateContent", "countTokens"],
    }
