"""The simulator's OpenAI and Groq wires against recordings of real traffic: the same fields, at the same places."""

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from flyllm.testing.answers import completed
from flyllm.testing.wires.base import Operation, Reply, SimulatedToolCall
from flyllm.testing.wires.registry import wires

FOLDER = Path(os.environ.get("FLYLLM_RECORDINGS") or Path(__file__).resolve().parents[3] / "shared" / "recordings")
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recordings at {FOLDER}; set FLYLLM_RECORDINGS")

REPLIES = [
    Reply("Hello world"),
    Reply(tool_calls=(SimulatedToolCall("weather", {"city": "Paris"}),)),
    Reply("Yes.", reasoning="Let me think."),
]
PATHS = {"openai": ("/v1/chat/completions", "/v1/responses"), "groq": ("/openai/v1/chat/completions",)}
CASES = [(provider, index, path) for provider, paths in PATHS.items() for index, path in enumerate(paths)]

# What the simulator sends although no recording has it: (provider, part of the place, reason).
UNRECORDED = [
    ("openai", "usage.input_tokens_details.cache_write_tokens", "required by the description"),
    ("openai", "response.reasoning_summary", "documented; no recorded stream has a summary"),
    ("openai", "response.function_call_arguments.done.name", "required by the description"),
    ("openai", "response.output_item.added.item.summary", "documented; no recorded stream has a summary"),
    ("openai", "response.output_item.done.item.summary", "documented; no recorded stream has a summary"),
    ("openai", "response.completed.response.output[].summary", "documented; no recorded stream has a summary"),
]
# What every recording has although the simulator does not send it.
UNSENT = [
    ("openai", "billing", "appears and goes with the years; not in the description"),
]


@cache
def recorded(provider: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{provider}.jsonl").read_text().splitlines()]


def data_of(stream: str) -> Iterator[Any]:
    for line in stream.splitlines():
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


def places(value: Any, at: str = "") -> set[str]:
    """The names of all fields with the way to them; items of lists are not told apart, contents of tools are left."""
    if isinstance(value, list):
        return set().union(*(places(item, f"{at}[]") for item in value))
    if not isinstance(value, dict):
        return set()
    kind = value.get("type")
    start = f"{at}." if at else (f"{kind}." if isinstance(kind, str) and "response." in kind else "")
    found: set[str] = set()
    for name, inner in value.items():
        found.add(f"{start}{name}")
        if name not in ("tools", "metadata", "logprobs", "text", "queries"):
            found |= places(inner, f"{start}{name}")
    return found


def simulated(provider: str, index: int, path: str, streamed: bool) -> list[Any]:
    wire = wires(provider)[index]
    messages = [{"role": "user", "content": "Hi"}]
    body: dict[str, Any] = {"model": "m", "stream": streamed, "messages": messages, "input": messages}
    body["stream_options"] = {"include_usage": True}
    call = wire.read(Operation.STREAM if streamed else Operation.CHAT, path, body)
    answers: list[Any] = []
    for reply in REPLIES:
        reply = completed(reply, call)
        if streamed:
            whole = b"".join(wire.stream(call, reply, Random(1))).decode()
            answers.extend(data_of(whole))
        else:
            answers.append(wire.chat(call, reply, Random(1)))
    return answers


def sent_for_real(provider: str, path: str, streamed: bool) -> list[Any]:
    found: list[Any] = []
    for recording in recorded(provider):
        if recording["path"] == path and recording["status"] == 200:
            is_stream = "event-stream" in recording["content_type"]
            if is_stream and streamed:
                found.extend(data_of(recording["body"]))
            elif not is_stream and not streamed:
                body = recording["body"]
                found.append(json.loads(body) if isinstance(body, str) else body)
    return found


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("provider", "index", "path"), CASES)
def test_nothing_is_invented(provider: str, index: int, path: str, streamed: bool) -> None:
    """Every field the simulator sends stands at the same place in some recording."""
    real = set().union(*map(places, sent_for_real(provider, path, streamed)))
    ours = set().union(*map(places, simulated(provider, index, path, streamed)))
    invented = [p for p in ours - real if not any(name == provider and part in p for name, part, _ in UNRECORDED)]
    assert sorted(invented) == []


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("provider", "index", "path"), CASES)
def test_nothing_that_always_comes_is_missing(provider: str, index: int, path: str, streamed: bool) -> None:
    """Every field that all recordings of an API have is sent by the simulator as well."""
    kinds: dict[str, list[set[str]]] = {}
    for item in sent_for_real(provider, path, streamed):
        kinds.setdefault(str(item.get("type")), []).append(places(item))
    ours = [(str(item.get("type")), places(item)) for item in simulated(provider, index, path, streamed)]
    for kind, found in ours:
        always = set.intersection(*kinds[kind]) if kind in kinds else set()
        missing = [p for p in always - found if not any(name == provider and part in p for name, part, _ in UNSENT)]
        assert sorted(missing) == [], kind
