"""The chat-completions shape as LM Studio, Ollama and Google serve it beside their own APIs."""

from base64 import b64encode
from collections.abc import Iterator
from random import Random
from typing import Any

from flyllm.testing.wires import efforts, forms_native, openai_embeddings, openai_errors
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
from flyllm.testing.wires.chat_messages import check_google, check_ollama
from flyllm.testing.wires.lmstudio_messages import check_lmstudio
from flyllm.testing.wires.openai_chat import OpenAIChatWire
from flyllm.testing.wires.openai_parts import CREATED, alphanumeric, lowercase, route
from flyllm.testing.wires.sse import compact, pieces, sse


class _PlainChat(OpenAIChatWire):
    """The shape without OpenAI's later additions: no refusal, no service tier, three numbers of usage."""

    obfuscates = False

    def _message(self, reply: Reply, rng: Random) -> Json:
        message = super()._message(reply, rng)
        del message["refusal"], message["annotations"]
        return message

    def _usage(self, reply: Reply) -> Json:
        return {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        }

    def headers(self, call: Call | None, limits: Limits, rng: Random) -> dict[str, str]:
        """Return nothing: no request id, no rate limits."""
        return {}


class LMStudioWire(_PlainChat):
    """LM Studio's server: reasoning in its own field, nine-digit tool ids, errors named in the stream."""

    provider = "lmstudio"
    embedding_rules = openai_embeddings.BARE
    errors = openai_errors.LMSTUDIO
    check_messages = staticmethod(check_lmstudio)
    check_effort = staticmethod(efforts.check_lmstudio)
    check_form = staticmethod(forms_native.check_lmstudio)
    owner = "organization_owner"

    def read(self, operation: Operation, path: str, body: Json) -> Call:
        """Understand a request; a tool cannot be chosen by its name."""
        if isinstance(body.get("tool_choice"), dict):
            raise BadRequest("Invalid tool_choice type: 'object'. Supported string values: none, auto, required")
        return super().read(operation, path, body)

    def _envelope(self, call: Call, kind: str, rng: Random) -> Json:
        return {
            "id": f"chatcmpl-{lowercase(rng, 22)}",
            "object": kind,
            "created": CREATED,
            "model": call.model,
            "system_fingerprint": call.model,
        }

    def chat(self, call: Call, reply: Reply, rng: Random) -> Json:
        """Return a whole `chat.completion`, with an empty `stats`."""
        return {**super().chat(call, reply, rng), "stats": {}}

    def _message(self, reply: Reply, rng: Random) -> Json:
        message = {**super()._message(reply, rng), "content": reply.text}
        message.setdefault("tool_calls", [])
        return {**message, "reasoning_content": reply.reasoning} if reply.reasoning else message

    def _deltas(self, reply: Reply, rng: Random) -> Iterator[Json]:
        for piece in pieces(reply.reasoning):
            yield {"role": "assistant", "reasoning_content": piece}
        yield from super()._deltas(reply, rng)

    def _tool_id(self, rng: Random) -> str:
        return str(rng.randint(100_000_000, 999_999_999))

    def stream_error(self, kind: ErrorKind, message: str | None, rng: Random) -> bytes:
        """Return an event named "error"."""
        text = message or self.errors[kind].message
        return sse({"error": {"message": text}, "message": text}, "error")

    def not_found(self, method: str, path: str, rng: Random) -> HttpReply:
        """Return the answer to an unknown path: an error text with status 200.

        As reported for 0.3.14 (lmstudio-ai/lmstudio-bug-tracker issue 618, April 2025).
        """
        return HttpReply(200, compact({"error": f"Unexpected endpoint or method. ({method} {route(path)})"}).encode())

    def _model(self, name: str) -> Json:
        return {"id": name, "object": "model", "owned_by": self.owner}

    def headers(self, call: Call | None, limits: Limits, rng: Random) -> dict[str, str]:
        """Return what an Express server says of itself."""
        return {"x-powered-by": "Express"}


class OllamaChatWire(_PlainChat):
    """Ollama's `/v1`."""

    provider = "ollama"
    embedding_rules = openai_embeddings.ANY
    errors = openai_errors.OLLAMA
    check_messages = staticmethod(check_ollama)
    check_effort = staticmethod(efforts.check_ollama_chat)
    check_form = staticmethod(forms_native.check_ollama_chat)
    owner = "library"

    def _envelope(self, call: Call, kind: str, rng: Random) -> Json:
        return {
            "id": f"chatcmpl-{rng.randint(100, 999)}",
            "object": kind,
            "created": CREATED,
            "model": call.model,
            "system_fingerprint": "fp_ollama",
        }

    def _message(self, reply: Reply, rng: Random) -> Json:
        message = super()._message(reply, rng)
        return {**message, "reasoning": reply.reasoning} if reply.reasoning else message

    def _deltas(self, reply: Reply, rng: Random) -> Iterator[Json]:
        for piece in pieces(reply.reasoning):
            yield {"role": "assistant", "content": "", "reasoning": piece}
        yield from super()._deltas(reply, rng)

    def _tool_id(self, rng: Random) -> str:
        return f"call_{lowercase(rng, 8)}"

    def not_found(self, method: str, path: str, rng: Random) -> HttpReply:
        """Return the answer to an unknown path or method."""
        return HttpReply(404, b"404 page not found", content_type="text/plain")


class GoogleChatWire(_PlainChat):
    """Google's `/v1beta/openai`: error bodies are arrays with Google's status words."""

    provider = "google"
    chat_paths = ("/v1beta/openai/chat/completions",)
    models_paths = ("/v1beta/openai/models",)
    embeddings_paths = ("/v1beta/openai/embeddings",)
    embedding_rules = openai_embeddings.GOOGLE
    check_messages = staticmethod(check_google)
    check_effort = staticmethod(efforts.check_google_chat)
    check_form = staticmethod(forms_native.check_google_chat)
    owner = "google"

    def _envelope(self, call: Call, kind: str, rng: Random) -> Json:
        return {"id": alphanumeric(rng, 22), "object": kind, "created": CREATED, "model": call.model}

    def _tool_call(self, index: int, call: SimulatedToolCall, rng: Random) -> Json:
        made = super()._tool_call(index, call, rng)
        # Of parallel calls the first is signed (ai.google.dev/gemini-api/docs/thought-signatures#openai).
        signature = {"google": {"thought_signature": b64encode(rng.randbytes(86)).decode()}}
        return {**made, "extra_content": signature} if index == 0 else made

    def _error_body(self, kind: ErrorKind, message: str | None, param: str | None) -> Any:
        row = self.errors[kind]
        return [{"error": {"code": row.status, "message": message or row.message, "status": _STATUS[row.status]}}]

    def _model(self, name: str) -> Json:
        return {"id": f"models/{name}", "object": "model", "owned_by": self.owner}


_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
