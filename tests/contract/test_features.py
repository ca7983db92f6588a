"""Every feature at every row of the registry: it works, or the request is refused before anything is sent.

What a row can is read from its `can`; that the table is right is for the tests of each feature. A cell that works shows
that the feature reached the wire and what came back reached the caller.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from flyllm import GenerationRequest, LLMManager, LLMResponse, NoInstanceError
from flyllm.providers.capabilities import FORCED_TOOLS, IMAGE_URLS, IMAGES, JSON, JSON_BESIDE_TOOLS, SCHEMAS, TOOLS
from flyllm.providers.registry import REGISTRY
from flyllm.testing import Reply, SimulatedProvider, SimulatedToolCall
from tests.contract.cases import fresh, kept

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(40))
DATA = b64encode(PNG).decode()
WEB = "https://example.com/cat.png"


class Answer(BaseModel):
    marker: str


def weather(city: str) -> str:
    """Tell the weather."""
    return f"blue over {city}"


def clock() -> str:
    """Tell the time."""
    return "noon"


@dataclass(frozen=True)
class Feature:
    """A request that uses it, what the server answers, what stands in the body, and what of the response must be."""

    fields: dict[str, Any]
    reply: Reply
    sent: tuple[str, ...]
    came: Callable[[LLMResponse], Any]
    needs: frozenset[str] = frozenset()


def said(response: LLMResponse) -> bool:
    return response.content == "fine"


CALLS = Reply(
    tool_calls=(SimulatedToolCall("weather", {"city": "Köln"}), SimulatedToolCall("clock")), finish="tool_calls"
)
TALK = [
    {"role": "system", "content": "be-a-pirate"},
    {"role": "user", "content": "first-question"},
    {"role": "assistant", "content": "first-answer"},
    {"role": "user", "content": "second-question"},
]
TOLD = [
    {"role": "user", "content": "How is it?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_0000", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Bonn"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_0000", "content": "grey-over-Bonn"},
]
FINE = Reply("fine")
FEATURES = {
    "prompt": Feature({"prompt": "marked-prompt"}, FINE, ("marked-prompt",), said),
    "system": Feature({"prompt": "x", "system": "be-a-pirate"}, FINE, ("be-a-pirate",), said),
    "turns": Feature(
        {"messages": TALK}, FINE, ("be-a-pirate", "first-question", "first-answer", "second-question"), said
    ),
    "limit": Feature({"prompt": "x", "params": {"max_tokens": 4321}}, FINE, ("4321",), said),
    "tools": Feature(
        {"prompt": "x", "tools": [weather, clock]},
        CALLS,
        ('"weather"', '"clock"', "Tell the weather."),
        lambda r: (
            [(c.name, json.loads(c.arguments)) for c in r.tool_calls] == [("weather", {"city": "Köln"}), ("clock", {})]
        ),
        frozenset({TOOLS}),
    ),
    "forced tool": Feature(
        {"prompt": "x", "tools": [weather, clock], "tool_choice": "required"},
        CALLS,
        ("weather", "clock"),
        lambda r: r.finish_reason == "tool_calls",
        frozenset({TOOLS, FORCED_TOOLS}),
    ),
    "tool results": Feature({"messages": TOLD}, FINE, ("weather", "Bonn", "grey-over-Bonn"), said, frozenset({TOOLS})),
    "image": Feature(
        {"prompt": "marked-prompt", "images": [PNG]}, FINE, (DATA, "marked-prompt"), said, frozenset({IMAGES})
    ),
    "image by URL": Feature({"prompt": "x", "images": [WEB]}, FINE, (WEB,), said, frozenset({IMAGES, IMAGE_URLS})),
    "schema": Feature(
        {"prompt": "x", "response_format": Answer},
        Reply('{"marker":"m"}'),
        ('"marker"',),
        lambda r: r.parsed == Answer(marker="m"),
        frozenset({SCHEMAS}),
    ),
    "schema beside tools": Feature(
        {"prompt": "x", "response_format": Answer, "tools": [weather, clock]},
        Reply('{"marker":"m"}'),
        ('"marker"', '"weather"'),
        lambda r: r.parsed == Answer(marker="m"),
        frozenset({SCHEMAS, TOOLS, JSON_BESIDE_TOOLS}),
    ),
    "json": Feature(
        {"prompt": "JSON please", "response_format": {"type": "json_object"}},
        Reply('{"a":[1]}'),
        (),
        lambda r: r.parsed == {"a": [1]},
        frozenset({JSON}),
    ),
    "reasoning": Feature({"prompt": "x"}, Reply("fine", reasoning="hm"), (), said),
    "usage": Feature(
        {"prompt": "x"},
        Reply("fine", prompt_tokens=20, completion_tokens=7),
        (),
        lambda r: (r.usage.prompt_tokens, r.usage.completion_tokens) == (20, 7),
    ),
}
ROWS = [(spec.name, api.name) for spec in REGISTRY.values() for api in spec.apis]
EVERY = pytest.mark.parametrize("row", ROWS, ids="-".join)


@dataclass
class Case:
    manager: LLMManager
    server: SimulatedProvider


@pytest.fixture(scope="module")
def cases() -> Iterator[Callable[[str, str], Case]]:
    def make(provider: str, api: str, server: SimulatedProvider) -> Case:
        builder = LLMManager.builder().add_instance(provider, "model-1", "sk-key-of-mine", api=api)
        return Case(builder.custom_endpoint(server.url).build(), server)

    with kept(make) as case:
        yield lambda provider, api: fresh(case(provider, api))


def can(row: tuple[str, str]) -> frozenset[str]:
    return REGISTRY[row[0]].api(row[1]).can


@EVERY
@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("way", ["call", "stream"])
def test_a_feature_works_or_is_refused(
    cases: Callable[[str, str], Case], row: tuple[str, str], name: str, way: str
) -> None:
    """Nobody who can it is one clear error, and nothing was sent."""
    case, feature = cases(*row), FEATURES[name]
    case.server.reply(feature.reply)
    request = GenerationRequest(**feature.fields)
    if not feature.needs <= can(row):
        with pytest.raises(NoInstanceError, match=r"no instance can .*\. Providers that can: \w+"):
            case.manager.generate(request) if way == "call" else case.manager.generate_stream(request)
        assert case.server.count == 0
        return
    response = case.manager.generate(request) if way == "call" else streamed(case.manager, request)
    assert feature.came(response)
    body = json.dumps(case.server.requests[-1].body, ensure_ascii=False)
    assert [part for part in feature.sent if part not in body] == []


def streamed(manager: LLMManager, request: GenerationRequest) -> LLMResponse:
    with manager.generate_stream(request) as stream:
        for _ in stream:
            pass
    assert stream.response is not None
    return stream.response


@pytest.mark.parametrize("row", [row for row in ROWS if {TOOLS, IMAGES} <= can(row)], ids="-".join)
def test_a_conversation_with_two_tools_and_an_image(
    cases: Callable[[str, str], Case], row: tuple[str, str], tmp_path: Path
) -> None:
    """The picture, both calls and both results are told in the second round, and the conversation goes on after it."""
    case = cases(*row)
    case.server.reply(CALLS, times=1).reply(Reply("It is noon, and blue."), times=1).reply("As I said.")
    (tmp_path / "sky.png").write_bytes(PNG)
    picture, tools = tmp_path / "sky.png", [weather, clock]
    run = case.manager.run_tools("Is this the sky?", images=[picture], tools=tools, system="be-a-pirate")
    picture.unlink()  # which was read once, for all rounds
    assert (run.content, run.rounds) == ("It is noon, and blue.", 2)
    follow = case.manager.run_tools("Sure?", messages=run.messages, tools=tools)
    assert follow.content == "As I said."
    for request, more in zip(
        case.server.requests, ((), RESULTS, (*RESULTS, "It is noon, and blue.", "Sure?")), strict=True
    ):
        body = json.dumps(request.body, ensure_ascii=False)
        assert [part for part in ("be-a-pirate", "Is this the sky?", DATA, *more) if part not in body] == []
        assert body.count(DATA) == 1


RESULTS = ("weather", "blue over Köln", "clock", "noon")
