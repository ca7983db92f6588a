"""Recordings of real provider traffic: loading them, replaying them over real sockets, comparing what was read.

The recordings are no part of this project (`../shared/recordings`, or the folder in FLYLLM_RECORDINGS); without them
the tests that need them are skipped. Their `expected` was read from the raw bytes by an independent reader.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from flyllm._secret import Secret
from flyllm.providers.base import Completion, Delta, ProviderRequest, ProviderSettings
from flyllm.providers.registry import create_provider, provider_spec
from flyllm.types import FinishReason, TokenUsage, ToolCall

FOLDER = Path(os.environ.get("FLYLLM_RECORDINGS") or Path(__file__).parents[3] / "shared" / "recordings")

FINISH: dict[str, FinishReason] = {
    # Chat completions, Responses
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    # Anthropic
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "refusal": "content_filter",
    # Google
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    # Cohere
    "COMPLETE": "stop",
    "TOOL_CALL": "tool_calls",
}
"""The finish words that occur in the recordings, in ours; written anew: a test must not read an adapter's table."""


@dataclass(frozen=True)
class Recording:
    """One real exchange. `expected` is a guide: where it disagrees with `body`, the bytes win."""

    id: str
    source: str
    method: str
    path: str
    request: Mapping[str, Any]
    status: int
    content_type: str
    headers: Mapping[str, str]
    body: str
    expected: Mapping[str, Any]

    @property
    def streamed(self) -> bool:
        return "event-stream" in self.content_type

    @property
    def failed(self) -> bool:
        return self.status != 200

    @property
    def content(self) -> bytes:
        return self.body.encode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@cache
def load(provider: str) -> tuple[Recording, ...]:
    """Return all recordings of `provider`, none where the folder is absent."""
    file = FOLDER / f"{provider}.jsonl"
    if not file.exists():
        return ()
    return tuple(Recording(**json.loads(line)) for line in file.read_text("utf-8").split("\n") if line)


def cases(*providers: str, where: Callable[[Recording], bool] = lambda _: True) -> list[Any]:
    """Return the parameters of a test over recordings: `@pytest.mark.parametrize("recording", cases("groq"))`."""
    found = [recording for provider in providers for recording in load(provider) if where(recording)]
    if not found:
        reason = f"no recordings in {FOLDER} (set FLYLLM_RECORDINGS)"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="absent")]
    return [pytest.param(recording, id=recording.id) for recording in found]


def adapter(provider: str, base_url: str, api: str | None = None, key: str = "k-0123456789", **settings: Any) -> Any:
    """Return the adapter of `provider`, talking to `base_url`."""
    spec = provider_spec(provider)
    chosen = spec.api(api) if api else spec.apis[0]
    return create_provider(ProviderSettings(spec, chosen, Secret(key), base_url, **settings))


def request(model: str = "m", **fields: Any) -> ProviderRequest:
    """Return a small request with a short timeout."""
    return ProviderRequest(
        **{"messages": [{"role": "user", "content": "Hi"}], "timeout": 20.0, **fields, "model": model}
    )


@dataclass
class Answer:
    """What a call or a stream came to, in one shape."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason | None = None
    usage: TokenUsage | None = None
    model: str | None = None
    deltas: list[Delta] = field(default_factory=list, compare=False, repr=False)


def of_completion(completion: Completion) -> Answer:
    """Return a whole answer as an `Answer`."""
    return Answer(
        text=completion.content,
        reasoning=completion.reasoning or "",
        tool_calls=completion.tool_calls,
        finish_reason=completion.finish_reason,
        usage=completion.usage,
        model=completion.model,
    )


def of_deltas(deltas: Iterable[Delta]) -> Answer:
    """Read a stream to its end and return what its deltas add up to."""
    answer = Answer()
    calls: dict[int, list[str]] = {}
    for delta in deltas:
        answer.deltas.append(delta)
        answer.text += delta.content
        answer.reasoning += delta.reasoning
        for part in delta.tool_calls:
            call = calls.setdefault(part.index, ["", "", ""])
            call[0], call[1] = call[0] or part.id, call[1] or part.name
            call[2] += part.arguments
        answer.finish_reason = delta.finish_reason or answer.finish_reason
        answer.usage = delta.usage or answer.usage
        answer.model = delta.model or answer.model
    answer.tool_calls = tuple(ToolCall(*calls[index]) for index in sorted(calls))
    return answer


def arguments(text: Any) -> Any:
    """Return a tool call's arguments as JSON where they are JSON: only then is their spelling free."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def called(answer: Answer) -> list[tuple[str, Any]]:
    """Return the tool calls as (name, arguments as JSON)."""
    return [(call.name, arguments(call.arguments)) for call in answer.tool_calls]


def compare(answer: Answer, expected: Mapping[str, Any]) -> None:
    """Assert that `answer` is what a recording's `expected` (text, tools, finish, usage) says."""
    assert answer.text == expected["text"]
    assert called(answer) == [(name, arguments(args)) for name, args in expected["tools"]]
    word = expected["finish"]
    assert answer.finish_reason == (FINISH[word] if word is not None else None)
    counted = (answer.usage.prompt_tokens, answer.usage.completion_tokens) if answer.usage else (None, None)
    assert counted == tuple(expected["usage"] or (None, None))
