"""OpenAI's Responses API, whole and as a stream of numbered events."""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from flyllm.testing.wires import forms_openai
from flyllm.testing.wires.base import BadRequest, Call, ErrorKind, HttpReply, Json, Limits, Operation, Reply
from flyllm.testing.wires.efforts import check_responses
from flyllm.testing.wires.openai_chat import OpenAIChatWire
from flyllm.testing.wires.openai_checks import check, required
from flyllm.testing.wires.openai_input import check_contents
from flyllm.testing.wires.openai_parts import (
    CREATED,
    alphanumeric,
    arguments,
    hexadecimal,
    obfuscation,
    prompt_of,
    route,
)
from flyllm.testing.wires.sse import pieces, sse
from flyllm.testing.wires.tool_turns import check_items


class OpenAIResponsesWire:
    """`POST /v1/responses`; models and embeddings belong to the chat wire of the same host."""

    provider: ClassVar[str] = "openai"
    paths: ClassVar[tuple[str, ...]] = ("/v1/responses",)
    chat_wire: ClassVar[type[OpenAIChatWire]] = OpenAIChatWire
    obfuscates: ClassVar[bool] = True
    check_form = staticmethod(forms_openai.check_responses)

    def __init__(self) -> None:
        self._host = self.chat_wire()

    # ---- requests

    def operation(self, method: str, path: str, body: Json | None) -> Operation | None:
        """Return what the request asks for; None for an unknown path or method."""
        if method != "POST" or route(path) not in self.paths:
            return None
        return Operation.STREAM if body is not None and body.get("stream") is True else Operation.CHAT

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Return the bearer token."""
        return self._host.key(headers)

    def read(self, operation: Operation, path: str, body: Json) -> Call:
        """Understand a request; raise `BadRequest` where model or input is missing."""
        model = required(body, "model")
        check(body)
        check_responses(body)
        given = body.get("input")
        if given is None:
            raise BadRequest("Missing required parameter: 'input'.", "input")
        if not body.get("previous_response_id"):  # of which the calls may be
            check_items(given)
        check_contents(given)
        self.check_form(body)
        text = given if isinstance(given, str) else prompt_of(given)
        instructions = body.get("instructions")
        return Call(operation, model, f"{instructions}\n{text}" if instructions else text, body)

    # ---- answers

    def chat(self, call: Call, reply: Reply, rng: Random) -> Json:
        """Return a whole response."""
        return self._finished(self._envelope(call, rng), self._items(reply, rng), reply)

    def stream(self, call: Call, reply: Reply, rng: Random) -> Iterator[bytes]:
        """Yield the events of a streamed response; the last one carries the whole of it."""
        envelope = self._envelope(call, rng)
        items = self._items(reply, rng)
        pads = self.obfuscates and (call.body.get("stream_options") or {}).get("include_obfuscation") is not False
        for number, event in enumerate(self._events(envelope, items, reply)):
            numbered = {**event, "sequence_number": number}
            if pads and event["type"].endswith(".delta"):
                numbered["obfuscation"] = obfuscation(rng)
            yield sse(numbered, event["type"])

    def _envelope(self, call: Call, rng: Random) -> Json:
        body = call.body
        return {
            "id": f"resp_{hexadecimal(rng, 50)}",
            "object": "response",
            "created_at": CREATED,
            "status": "in_progress",
            "background": False,
            "completed_at": None,
            "error": None,
            "frequency_penalty": 0.0,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "max_tool_calls": None,
            "model": call.model,
            "output": [],
            "parallel_tool_calls": body.get("parallel_tool_calls", True),
            "presence_penalty": 0.0,
            "previous_response_id": body.get("previous_response_id"),
            "prompt_cache_key": None,
            "prompt_cache_retention": None,
            "reasoning": {"effort": None, "summary": None},
            "safety_identifier": None,
            "service_tier": "default",
            "store": body.get("store", True),
            "temperature": body.get("temperature", 1.0),
            "text": {"format": {"type": "text"}, "verbosity": "medium", **(body.get("text") or {})},
            "tool_choice": body.get("tool_choice", "auto"),
            "tools": body.get("tools", []),
            "top_logprobs": 0,
            "top_p": body.get("top_p", 1.0),
            "truncation": "disabled",
            "usage": None,
            "user": None,
            "metadata": body.get("metadata") or {},
        }

    def _finished(self, envelope: Json, items: Sequence[Json], reply: Reply) -> Json:
        reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reply.finish)
        return {
            **envelope,
            "status": "incomplete" if reason else "completed",
            "completed_at": None if reason else CREATED + 1,
            "incomplete_details": {"reason": reason} if reason else None,
            "output": list(items),
            "usage": self._usage(reply),
        }

    def _items(self, reply: Reply, rng: Random) -> list[Json]:
        items: list[Json] = []
        if reply.reasoning:
            summary = [{"type": "summary_text", "text": reply.reasoning}]
            items.append({"id": f"rs_{hexadecimal(rng, 50)}", "type": "reasoning", "summary": summary})
        if reply.text or not reply.tool_calls:
            items.append(self._message(reply, rng))
        for call in reply.tool_calls:
            items.append(
                {
                    "id": f"fc_{hexadecimal(rng, 50)}",
                    "type": "function_call",
                    "status": "completed",
                    "arguments": arguments(call),
                    "call_id": f"call_{alphanumeric(rng, 24)}",
                    "name": call.name,
                }
            )
        return items

    def _message(self, reply: Reply, rng: Random) -> Json:
        done = reply.finish in ("stop", "tool_calls")
        return {
            "id": f"msg_{hexadecimal(rng, 50)}",
            "type": "message",
            "status": "completed" if done else "incomplete",
            "content": [_text_part(reply.text)],
            "role": "assistant",
        }

    def _usage(self, reply: Reply) -> Json:
        return {
            "input_tokens": reply.prompt_tokens,
            "input_tokens_details": {"cached_tokens": reply.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": reply.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        }

    # ---- events

    def _events(self, envelope: Json, items: Sequence[Json], reply: Reply) -> Iterator[Json]:
        yield {"type": "response.created", "response": envelope}
        yield {"type": "response.in_progress", "response": envelope}
        for index, item in enumerate(items):
            for event in _EVENTS_OF[item["type"]](item):
                yield {**event, "output_index": index}
        finished = self._finished(envelope, items, reply)
        yield {"type": f"response.{finished['status']}", "response": finished}

    @property
    def stream_content_type(self) -> str:
        """Content type of streamed answers."""
        return "text/event-stream; charset=utf-8"

    def stream_error(self, kind: ErrorKind, message: str | None, rng: Random) -> bytes:
        """Return the `error` event, whose fields stand at the top."""
        row = self._host.errors[kind]
        code = row.code or row.type
        event = {"type": "error", "code": code, "message": message or row.message, "param": None}
        return sse({**event, "sequence_number": 0}, "error")

    # ---- the rest of the API

    def models(self, names: Sequence[str]) -> Json:
        """Return the model list of the host."""
        return self._host.models(names)

    def embeddings(self, call: Call, vectors: Sequence[Sequence[float]], rng: Random) -> Json:
        """Return embeddings of the host."""
        return self._host.embeddings(call, vectors, rng)

    def error(self, kind: ErrorKind, message: str | None, rng: Random, param: str | None = None) -> HttpReply:
        """Return an error answer, which looks like the host's; an unknown model is a 400 here."""
        reply = self._host.error(kind, message, rng, param)
        return HttpReply(400, reply.body) if kind is ErrorKind.MODEL_NOT_FOUND else reply

    def not_found(self, method: str, path: str, rng: Random) -> HttpReply:
        """Return the answer to an unknown path or method."""
        return self._host.not_found(method, path, rng)

    def headers(self, call: Call | None, limits: Limits, rng: Random) -> dict[str, str]:
        """Return the host's headers."""
        return self._host.headers(call, limits, rng)


def _text_part(text: str) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _message_events(item: Json) -> Iterator[Json]:
    part = item["content"][0]
    place: Json = {"item_id": item["id"], "content_index": 0}
    yield {"type": "response.output_item.added", "item": {**item, "status": "in_progress", "content": []}}
    yield {"type": "response.content_part.added", **place, "part": _text_part("")}
    for piece in pieces(part["text"]):
        yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": part}
    yield {"type": "response.output_item.done", "item": item}


def _reasoning_events(item: Json) -> Iterator[Json]:
    part = item["summary"][0]
    place: Json = {"item_id": item["id"], "summary_index": 0}
    yield {"type": "response.output_item.added", "item": {**item, "summary": []}}
    yield {"type": "response.reasoning_summary_part.added", **place, "part": {**part, "text": ""}}
    for piece in pieces(part["text"]):
        yield {"type": "response.reasoning_summary_text.delta", **place, "delta": piece}
    yield {"type": "response.reasoning_summary_text.done", **place, "text": part["text"]}
    yield {"type": "response.reasoning_summary_part.done", **place, "part": part}
    yield {"type": "response.output_item.done", "item": item}


def _function_call_events(item: Json) -> Iterator[Json]:
    text, place = item["arguments"], {"item_id": item["id"]}
    yield {"type": "response.output_item.added", "item": {**item, "status": "in_progress", "arguments": ""}}
    for at in range(0, len(text), 8):
        yield {"type": "response.function_call_arguments.delta", **place, "delta": text[at : at + 8]}
    yield {"type": "response.function_call_arguments.done", **place, "arguments": text, "name": item["name"]}
    yield {"type": "response.output_item.done", "item": item}


_EVENTS_OF: Mapping[str, Any] = {
    "message": _message_events,
    "reasoning": _reasoning_events,
    "function_call": _function_call_events,
}
