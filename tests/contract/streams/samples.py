"""Every streamed answer there is to test with: those recorded from real providers, and rich ones of the simulator.

A provider without a recorded stream (and a row that speaks a wire of another) is represented by what the simulator
sends for `RICH`: text beyond ASCII, reasoning and a tool call, as far as the wire has them.
"""

import http.client
import json
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from flyllm.providers.registry import REGISTRY
from flyllm.testing import ProviderSimulator, Reply, SimulatedToolCall
from tests.contract.recordings import load

RICH = Reply(
    "Grüße, 世界 🌍! Two words.",
    reasoning="Hm, wörld ✓",
    tool_calls=(SimulatedToolCall("weather", {"city": "Köln 🌧"}), SimulatedToolCall("now")),
    finish="tool_calls",
    prompt_tokens=11,
    completion_tokens=23,
)
TEXT = Reply(RICH.text, reasoning=RICH.reasoning, prompt_tokens=11, completion_tokens=9)
RECORDED = {
    # By path of a recording: who serves it, through which API.
    "/v1/messages": ("anthropic", "messages"),
    "/v1/chat/completions": ("openai", "chat_completions"),
    "/openai/v1/chat/completions": ("groq", "chat_completions"),
    "/v1/responses": ("openai", "responses"),
}
WIRES = [
    ("openai", "chat_completions"),
    ("openai", "responses"),
    ("anthropic", "messages"),
    ("google", "generate_content"),
    ("cohere", "chat"),
    ("ollama", "chat"),
]
"""One row for each wire."""
IN_BAND = "b8fa70bc870b"
"""Groq's recorded stream that ends in `event: error`."""

_MESSAGES = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True, "max_tokens": 9}
_BODIES: dict[str, dict[str, Any]] = {
    "responses": {"model": "m", "input": "Hi", "stream": True},
    "generate_content": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
    "chat_completions": {**_MESSAGES, "stream_options": {"include_usage": True}},
    "messages": _MESSAGES,
    "chat": {name: value for name, value in _MESSAGES.items() if name != "max_tokens"},
}
_KEYS = {"authorization": "Bearer k", "x-api-key": "k", "x-goog-api-key": "k", "anthropic-version": "2023-06-01"}


@dataclass(frozen=True)
class Sample:
    """A streamed answer as bytes, with who sends it."""

    id: str
    provider: str
    api: str
    content_type: str
    body: bytes

    @property
    def row(self) -> tuple[str, str]:
        """Provider and API."""
        return self.provider, self.api


@cache
def recorded() -> tuple[Sample, ...]:
    """Return all recorded streams, none where there are no recordings."""
    found = []
    for file in ("anthropic", "gemini", "groq", "mistral", "openai"):
        for each in load(file):
            if each.streamed:
                row = ("google", "generate_content") if file == "gemini" else RECORDED[each.path]
                row = ("mistral", "chat_completions") if file == "mistral" else row
                found.append(Sample(f"{file}-{each.id}", *row, each.content_type, each.content))
    return tuple(found)


ROWS = tuple((spec.name, api.name) for spec in REGISTRY.values() for api in spec.apis)


@cache
def simulated(reply: Reply | str = RICH) -> dict[tuple[str, str], Sample]:
    """Return what the simulator streams for `reply`, for every row of the registry."""
    with ProviderSimulator() as simulator:
        return {row: _ask(simulator, *row, reply) for row in ROWS}


def _ask(simulator: ProviderSimulator, provider: str, api: str, reply: Reply | str) -> Sample:
    server = simulator.add(provider, name=f"{provider}-{api}", reply=reply)
    spec = REGISTRY[provider].api(api)
    path = "/models/m:streamGenerateContent?alt=sse" if api == "generate_content" else spec.path
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    client.request("POST", spec.version + path, json.dumps(_BODIES["chat" if provider == "mistral" else api]), _KEYS)
    answer = client.getresponse()
    body = answer.read()
    client.close()
    assert answer.status == 200, body
    return Sample(f"simulated-{provider}-{api}", provider, api, answer.headers["content-type"], body)


@cache
def every() -> dict[str, Sample]:
    """Return all streams by id; the one that ends in an error is not a whole one and is left out."""
    whole = (sample for sample in recorded() if not sample.id.endswith(IN_BAND))
    # With tools Cohere has a plan in place of text.
    more = replace(simulated(TEXT)["cohere", "chat"], id="simulated-cohere-chat-text")
    return {sample.id: sample for sample in (*whole, *simulated().values(), more)}


def names() -> list[str]:
    """Return the ids in `every()` without asking the simulator, for parametrisation."""
    made = (f"simulated-{provider}-{api}" for provider, api in ROWS)
    return [*(s.id for s in recorded() if not s.id.endswith(IN_BAND)), *made, "simulated-cohere-chat-text"]


@cache
def smallest() -> dict[tuple[str, str], Sample]:
    """Return the shortest stream with text of every row: a recorded one, or of the simulator."""
    found = dict(simulated("Grüße 🌍!"))
    for sample in recorded():
        if len(sample.body) < len(found[sample.row].body):
            found[sample.row] = sample
    return found
