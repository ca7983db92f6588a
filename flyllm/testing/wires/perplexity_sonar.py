"""Perplexity's Sonar API: the chat-completions shape with sources, costs and the whole text in every chunk."""

from collections.abc import Iterator, Sequence
from random import Random

from flyllm.testing.wires import efforts, forms_native, openai_embeddings, openai_errors
from flyllm.testing.wires.base import Call, ErrorKind, HttpReply, Json, Limits, Operation, Reply
from flyllm.testing.wires.chat_messages import REFUSALS, check_perplexity
from flyllm.testing.wires.openai_chat import OpenAIChatWire
from flyllm.testing.wires.openai_parts import CREATED, uuid
from flyllm.testing.wires.sse import compact, pieces, sse


class PerplexityWire(OpenAIChatWire):
    """Perplexity's Sonar shape: every chunk carries message, delta and usage; citations and costs."""

    provider = "perplexity"
    chat_paths = ("/chat/completions", "/v1/chat/completions", "/v1/sonar")
    embeddings_paths = ("/v1/embeddings",)
    embedding_rules = openai_embeddings.PERPLEXITY
    errors = openai_errors.PERPLEXITY
    check_messages = staticmethod(check_perplexity)
    check_effort = staticmethod(efforts.check_sonar)
    check_form = staticmethod(forms_native.check_perplexity)

    def _envelope(self, call: Call, kind: str, rng: Random) -> Json:
        return {"id": uuid(rng), "model": call.model, "created": CREATED, "object": kind}

    def chat(self, call: Call, reply: Reply, rng: Random) -> Json:
        """Return a whole `chat.completion`."""
        envelope = self._envelope(call, "chat.completion", rng)
        return _sonar(envelope, reply.text, "", reply, self._finish(reply), self._usage(reply))

    def stream(self, call: Call, reply: Reply, rng: Random) -> Iterator[bytes]:
        """Yield chunks with the text so far and the new piece, a `chat.completion.done`, and `[DONE]`."""
        envelope = self._envelope(call, "chat.completion.chunk", rng)
        usage, said = self._usage(reply), ""
        for piece in pieces(reply.text):
            said += piece
            yield sse(_sonar(envelope, said, piece, reply, None, usage))
        done = {**envelope, "object": "chat.completion.done"}
        yield sse(_sonar(done, said, "", reply, self._finish(reply), usage))
        yield sse("[DONE]")

    def _finish(self, reply: Reply) -> str:
        # Its schema knows "stop" and "length" only.
        return "length" if reply.finish == "length" else "stop"

    def _usage(self, reply: Reply) -> Json:
        cost = {"input_tokens_cost": 0.0, "output_tokens_cost": 0.0, "request_cost": 0.005, "total_cost": 0.005}
        usage: Json = {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
            "search_context_size": "low",
            "cost": cost,
        }
        return {**usage, "reasoning_tokens": reply.reasoning_tokens} if reply.reasoning_tokens else usage

    def read(self, operation: Operation, path: str, body: Json) -> Call:
        """Understand a request; embeddings come as small integers where the request does not say how."""
        packed = operation is Operation.EMBEDDINGS
        return super().read(operation, path, {"encoding_format": "base64_int8", **body} if packed else body)

    def embeddings(self, call: Call, vectors: Sequence[Sequence[float]], rng: Random) -> Json:
        """Return embeddings, with what they cost."""
        answer = super().embeddings(call, vectors, rng)
        cost = {"input_cost": 0.0, "total_cost": 0.0, "currency": "USD"}
        return {**answer, "usage": {**answer["usage"], "cost": cost}}

    def error(self, kind: ErrorKind, message: str | None, rng: Random, param: str | None = None) -> HttpReply:
        """Return an error answer; a wrong field is reported with 422 and FastAPI's list of details."""
        if kind is ErrorKind.INVALID_REQUEST and param is not None:
            detail = {"loc": ["body", param], "msg": message or "Field required", "type": "missing"}
            return HttpReply(422, compact({"detail": [detail]}).encode())
        return super().error(kind, message, rng, param)

    def _error_object(self, kind: ErrorKind, message: str | None, param: str | None) -> Json:
        row = self.errors[kind]
        kind_word = "invalid_message" if message in REFUSALS else row.type
        return {"message": message or row.message, "type": kind_word, "code": row.code}

    def not_found(self, method: str, path: str, rng: Random) -> HttpReply:
        """Return the answer to an unknown path or method."""
        return HttpReply(404, compact({"detail": "Not Found"}).encode())

    def _model(self, name: str) -> Json:
        return {"id": name, "object": "model", "created": 0, "owned_by": name.partition("/")[0]}

    def headers(self, call: Call | None, limits: Limits, rng: Random) -> dict[str, str]:
        """Return the request id; rate limits are not told in headers."""
        return {"x-request-id": uuid(rng)}


_SOURCE = "https://example.com/simulated-source"


def _sonar(envelope: Json, text: str, piece: str, reply: Reply, finish: str | None, usage: Json) -> Json:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "delta": {"role": "assistant", "content": piece},
        "finish_reason": finish,
    }
    result = {"title": "Simulated source", "url": _SOURCE, "date": "2026-01-01", "snippet": "", "source": "web"}
    return {
        **envelope,
        "usage": usage,
        "citations": [_SOURCE],
        "search_results": [result],
        "choices": [choice],
    }
