"""The simulator's five native wires as the tests of what they send use them: small requests, telling replies."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from flyllm.testing.wires.base import Call, Json, Operation, Reply, SimulatedToolCall, Wire
from flyllm.testing.wires.registry import wires

PROVIDERS = ("anthropic", "google", "mistral", "cohere", "ollama")
SPEC_OF = {"google": "gemini"}
TOKENS: Json = {"prompt_tokens": 40, "completion_tokens": 30}
WEATHER = SimulatedToolCall("get_weather", {"city": "Zürich", "days": [1, 2]})
REPLIES = {
    "text": Reply("Hello, wörld! Two  blanks.\n", **TOKENS),
    "empty": Reply("", **TOKENS),
    "length": Reply("Cut of", finish="length", **TOKENS),
    "refused": Reply("", finish="content_filter", **TOKENS),
    "filtered": Reply("It went well until", finish="content_filter", **TOKENS),
    "tools": Reply(tool_calls=(WEATHER, SimulatedToolCall("now")), **TOKENS),
    "text and tool": Reply("Let me look.", tool_calls=(WEATHER,), **TOKENS),
    "reasoning": Reply("Yes.", reasoning="Let me think about it.", reasoning_tokens=20, cached_tokens=16, **TOKENS),
    "reasoning and tool": Reply(reasoning="A tool then.", reasoning_tokens=9, tool_calls=(WEATHER,), **TOKENS),
}


def wire_of(provider: str) -> Wire:
    return wires(provider)[0]


def call(provider: str, operation: Operation = Operation.CHAT) -> Call:
    """Return a small request as the wire reads it."""
    messages = [{"role": "user", "content": "Hi"}]
    requests: dict[str, tuple[str, Json]] = {
        "anthropic": ("/v1/messages", {"model": "m", "max_tokens": 9, "messages": messages}),
        "google": (
            "/v1beta/models/m:streamGenerateContent?alt=sse",
            {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
        ),
        "mistral": ("/v1/chat/completions", {"model": "m", "messages": messages}),
        "cohere": ("/v2/chat", {"model": "m", "messages": messages}),
        "ollama": ("/api/chat", {"model": "m", "messages": messages}),
    }
    path, body = requests[provider]
    return wire_of(provider).read(operation, path, body)


def whole(provider: str, reply: Reply) -> Json:
    return wire_of(provider).chat(call(provider), reply, Random(1))


def events(provider: str, reply: Reply) -> list[Json]:
    """Return the data of a stream's events, markers that are no JSON left out."""
    frames = wire_of(provider).stream(call(provider, Operation.STREAM), reply, Random(1))
    return [json.loads(data) for data in payloads(b"".join(frames).decode()) if data != "[DONE]"]


def payloads(stream: str) -> Iterator[str]:
    """Return the data of server-sent events, or the lines of NDJSON."""
    for line in stream.splitlines():
        if line.startswith("data:"):
            yield line.removeprefix("data:").strip()
        elif line.startswith("{"):
            yield line


FREE = {"input", "args", "arguments"}
"""Fields that hold what a model or user made up."""


def shapes(value: Any, at: str = "") -> Iterator[str]:
    """Yield the path of every field in `value`; elements of lists are told apart by their `type`."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{at}.{name}"
            if name not in FREE:
                yield from shapes(inner, f"{at}.{name}")
    elif isinstance(value, list):
        for inner in value:
            kind = inner.get("type", "") if isinstance(inner, dict) else ""
            yield from shapes(inner, f"{at}[{kind}]")
