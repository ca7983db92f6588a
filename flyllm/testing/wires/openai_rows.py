"""The chat-completions shape as Groq and Together serve it: the points in which they differ from OpenAI."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from flyllm.testing.wires import efforts, forms_native, forms_openai, openai_embeddings, openai_errors
from flyllm.testing.wires.base import Call, ErrorKind, HttpReply, Json, Limits, Reply, SimulatedToolCall
from flyllm.testing.wires.chat_messages import check_groq, check_together
from flyllm.testing.wires.openai_chat import OpenAIChatWire
from flyllm.testing.wires.openai_parts import (
    CREATED,
    alphanumeric,
    hexadecimal,
    rate_limit_headers,
    route,
    ulid,
    uuid,
)
from flyllm.testing.wires.sse import compact, pieces, sse


class GroqWire(OpenAIChatWire):
    """Groq: `x_groq`, times in the usage, tool calls streamed whole, usage in the last chunk unasked."""

    provider = "groq"
    chat_paths = ("/openai/v1/chat/completions",)
    models_paths = ("/openai/v1/models",)
    embeddings_paths = ()
    errors = openai_errors.GROQ
    check_messages = staticmethod(check_groq)
    check_effort = staticmethod(efforts.check_groq)
    check_form = staticmethod(forms_openai.check_groq)
    obfuscates = False
    owner = "Meta"

    def _envelope(self, call: Call, kind: str, rng: Random) -> Json:
        return {
            "id": f"chatcmpl-{uuid(rng)}",
            "object": kind,
            "created": CREATED,
            "model": call.model,
            "system_fingerprint": f"fp_{hexadecimal(rng, 10)}",
        }

    def chat(self, call: Call, reply: Reply, rng: Random) -> Json:
        """Return a whole `chat.completion`, with Groq's own fields after OpenAI's."""
        answer = super().chat(call, reply, rng)
        own = {"usage_breakdown": None, "x_groq": {"id": f"req_{ulid(rng)}"}, "service_tier": "on_demand"}
        return {**answer, **own}

    def _message(self, reply: Reply, rng: Random) -> Json:
        message: Json = {"role": "assistant"}
        if reply.text or not reply.tool_calls:
            message["content"] = reply.text
        if reply.reasoning:
            message["reasoning"] = reply.reasoning
        if reply.tool_calls:
            message["tool_calls"] = [self._tool_call(n, c, rng) for n, c in enumerate(reply.tool_calls)]
        return message

    def _tool_id(self, rng: Random) -> str:
        return f"fc_{uuid(rng)}"

    def _finish(self, reply: Reply) -> str:
        return _without_content_filter(super()._finish(reply))

    def _usage(self, reply: Reply) -> Json:
        spent = round(reply.completion_tokens / 500, 6)
        usage: Json = {
            "queue_time": 0.004917,
            "prompt_tokens": reply.prompt_tokens,
            "prompt_time": 0.0146,
            "completion_tokens": reply.completion_tokens,
            "completion_time": spent,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
            "total_time": round(spent + 0.0146, 6),
        }
        if reply.cached_tokens:
            usage["prompt_tokens_details"] = {"cached_tokens": reply.cached_tokens}
        if reply.reasoning_tokens:
            usage["completion_tokens_details"] = {"reasoning_tokens": reply.reasoning_tokens}
        return usage

    def _deltas(self, reply: Reply, rng: Random) -> Iterator[Json]:
        yield {"role": "assistant", "content": ""}
        for piece in pieces(reply.reasoning):
            yield {"reasoning": piece, "channel": "analysis"}
        for piece in pieces(reply.text):
            yield {"content": piece}
        for index, call in enumerate(reply.tool_calls):
            yield {"tool_calls": [{**self._tool_call(index, call, rng), "index": index}]}

    def _chunk(self, envelope: Json, delta: Json, finish: str | None, usage: bool, rng: Random) -> Json:
        chunk = super()._chunk(envelope, delta, finish, False, rng)
        if "role" in delta:
            chunk["x_groq"] = {"id": f"req_{ulid(rng)}", "seed": rng.getrandbits(31)}
        return chunk

    def _last_chunk(self, envelope: Json, reply: Reply, usage: bool, rng: Random) -> Json:
        told = self._usage(reply)
        chunk = self._chunk(envelope, {}, self._finish(reply), False, rng)
        return {**chunk, "x_groq": {"id": f"req_{ulid(rng)}", "usage": told}, "usage": told}

    def stream_error(self, kind: ErrorKind, message: str | None, rng: Random) -> bytes:
        """Return an event named "error" whose payload also tells the status."""
        row = self.errors[kind]
        error: Json = {"message": message or row.message, "type": row.type}
        if row.code is not None:
            error["code"] = row.code
        return sse({"error": {**error, "status_code": row.status}}, "error")

    def _error_object(self, kind: ErrorKind, message: str | None, param: str | None) -> Json:
        return {k: v for k, v in super()._error_object(kind, message, param).items() if v is not None}

    def not_found(self, method: str, path: str, rng: Random) -> HttpReply:
        """Return the answer to an unknown path or method."""
        text = (
            f"Unknown request URL: {method} {route(path)}. Please check the URL for typos, "
            "or see the docs at https://console.groq.com/docs/"
        )
        error = {"message": text, "type": "invalid_request_error", "code": "unknown_url"}
        return HttpReply(404, compact({"error": error}).encode())

    def _model(self, name: str) -> Json:
        return {
            **super()._model(name),
            "active": True,
            "context_window": 131072,
            "public_apps": None,
            "max_completion_tokens": 32768,
        }

    def headers(self, call: Call | None, limits: Limits, rng: Random) -> dict[str, str]:
        """Return request id, region and rate limit headers."""
        return {"x-request-id": f"req_{ulid(rng)}", "x-groq-region": "dls", **rate_limit_headers(limits)}


class TogetherWire(OpenAIChatWire):
    """Together: a seed and no logprobs in the choice, `prompt`, usage in the last chunk unasked, a bare model list."""

    provider = "togetherai"
    embedding_rules = openai_embeddings.BARE
    errors = openai_errors.TOGETHER
    check_messages = staticmethod(check_together)
    check_effort = staticmethod(efforts.check_together)
    check_form = staticmethod(forms_native.check_together)

    def _envelope(self, call: Call, kind: str, rng: Random) -> Json:
        name = f"{alphanumeric(rng, 7)}-{alphanumeric(rng, 6)}-{hexadecimal(rng, 16)}"
        return {"id": name, "object": kind, "created": CREATED, "model": call.model}

    def chat(self, call: Call, reply: Reply, rng: Random) -> Json:
        """Return a whole `chat.completion`."""
        choice: Json = {
            "finish_reason": self._finish(reply),
            "seed": rng.getrandbits(63),
            "index": 0,
            "message": self._message(reply, rng),
        }
        envelope = self._envelope(call, "chat.completion", rng)
        return {**envelope, "prompt": [], "choices": [choice], "usage": self._usage(reply)}

    def _message(self, reply: Reply, rng: Random) -> Json:
        calls = [self._tool_call(n, c, rng) for n, c in enumerate(reply.tool_calls)]
        message: Json = {"role": "assistant", "content": self._content(reply), "tool_calls": calls}
        return {**message, "reasoning": reply.reasoning} if reply.reasoning else message

    def _tool_call(self, index: int, call: SimulatedToolCall, rng: Random) -> Json:
        return {"index": index, **super()._tool_call(index, call, rng)}

    def _finish(self, reply: Reply) -> str:
        return _without_content_filter(super()._finish(reply))

    def _usage(self, reply: Reply) -> Json:
        return {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
            "cached_tokens": reply.cached_tokens,
        }

    def stream(self, call: Call, reply: Reply, rng: Random) -> Iterator[bytes]:
        """Yield chunks whose deltas all carry the role, the last one with finish reason and usage, and `[DONE]`."""
        envelope = self._envelope(call, "chat.completion.chunk", rng)
        for delta in self._deltas(reply, rng):
            yield sse({**envelope, "choices": [_together_choice(delta, None)], "usage": None})
        last = _together_choice({"role": "assistant", "content": ""}, self._finish(reply))
        yield sse({**envelope, "choices": [last], "usage": self._usage(reply)})
        yield sse("[DONE]")

    def _deltas(self, reply: Reply, rng: Random) -> Iterator[Json]:
        for piece in pieces(reply.reasoning):
            yield {"role": "assistant", "content": "", "reasoning": piece}
        for piece in pieces(reply.text):
            yield {"role": "assistant", "content": piece}
        for index, call in enumerate(reply.tool_calls):
            yield {"role": "assistant", "content": "", "tool_calls": [self._tool_call(index, call, rng)]}

    def embeddings(self, call: Call, vectors: Sequence[Sequence[float]], rng: Random) -> Json:
        """Return embeddings, without usage, of which its description says nothing."""
        answer = super().embeddings(call, vectors, rng)
        return {name: answer[name] for name in ("object", "data", "model")}

    def models(self, names: Sequence[str]) -> Any:
        """Return the model list: a bare array, as its description says."""
        return [self._model(name) for name in names]

    def _model(self, name: str) -> Json:
        price = {"hourly": 0, "input": 0.88, "output": 0.88, "base": 0, "finetune": 0}
        return {
            "id": name,
            "object": "model",
            "created": CREATED,
            "type": "embedding" if "embed" in name or "e5-" in name else "chat",
            "display_name": name.rpartition("/")[2],
            "organization": name.partition("/")[0],
            "context_length": 131072,
            "pricing": price,
        }

    def headers(self, call: Call | None, limits: Limits, rng: Random) -> dict[str, str]:
        """Return request id and rate limit headers; the reset is in seconds."""
        headers = {"x-request-id": f"{alphanumeric(rng, 7)}-{alphanumeric(rng, 6)}-{hexadecimal(rng, 16)}"}
        if limits.requests is not None:
            headers["x-ratelimit-limit"] = str(limits.requests)
            headers["x-ratelimit-remaining"] = str(limits.remaining_requests or 0)
            headers["x-ratelimit-reset"] = f"{limits.reset_requests or 0.0:.0f}"
        if limits.tokens is not None:
            headers["x-tokenlimit-limit"] = str(limits.tokens)
            headers["x-tokenlimit-remaining"] = str(limits.remaining_tokens or 0)
        return headers


def _without_content_filter(finish: str) -> str:
    # The schemas of both providers know no content_filter.
    return "stop" if finish == "content_filter" else finish


def _together_choice(delta: Json, finish: str | None) -> Json:
    return {"index": 0, "text": delta.get("content") or "", "delta": delta, "finish_reason": finish}
