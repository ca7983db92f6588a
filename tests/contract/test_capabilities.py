"""Requests go to instances that can serve them: every need with every row, over real SDKs and simulated servers."""

from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from flyllm import GenerationRequest, LLMManager, NoInstanceError
from flyllm.providers.capabilities import FORCED_TOOLS, IMAGE_URLS, IMAGES, JSON, SCHEMAS, TOOLS
from flyllm.providers.registry import REGISTRY
from flyllm.testing import ProviderSimulator, SimulatedProvider

Row = tuple[str, str]
ROWS: list[Row] = [(spec.name, api.name) for spec in REGISTRY.values() for api in spec.apis]
OPENAI, SONAR, OLLAMA = ("openai", "chat_completions"), ("perplexity", "chat_completions"), ("ollama", "chat")
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PNG = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
URL = "https://example.com/a.png"
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
REQUESTS: dict[str, dict[str, Any]] = {
    TOOLS: {"tools": [WEATHER]},
    FORCED_TOOLS: {"tools": [WEATHER], "tool_choice": "required"},
    IMAGES: {"images": [PNG]},
    SCHEMAS: {"response_format": CITY},
    IMAGE_URLS: {"images": [URL]},
    JSON: {"response_format": {"type": "json_object"}},
}
PROMPT = "Tell me in JSON."
ANSWER = '{"city": "Paris"}'


def now() -> str:
    return "noon"


Make = Callable[..., tuple[LLMManager, list[SimulatedProvider]]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Return a function that makes a manager of some rows, each an instance with a server of its own."""
    with ExitStack() as stack:
        simulator = stack.enter_context(ProviderSimulator())

        def manager(*rows: Row, **options: Any) -> tuple[LLMManager, list[SimulatedProvider]]:
            servers = [simulator.add(provider).reply(ANSWER) for provider, _ in rows]
            builder = LLMManager.builder().default_attempt_timeout(5)
            for (provider, api), server in zip(rows, servers, strict=True):
                builder = builder.add_instance(provider, "m", "sk-key", api=api, endpoint=server.url, **options)
            return stack.enter_context(builder.build()), servers

        yield manager


def test_tools_are_nothing_for_sonar(make: Make) -> None:
    """Calls, streams, runs and batches say so before anything is sent."""
    manager, (server,) = make(SONAR)
    match = r"^no instance can call tools\. Providers that can: openai, anthropic, google, "
    with pytest.raises(NoInstanceError, match=match):
        manager.generate("Hi", tools=[WEATHER])
    with pytest.raises(NoInstanceError, match=match), manager.generate_stream("Hi", tools=[WEATHER]) as stream:
        list(stream)
    with pytest.raises(NoInstanceError, match=match):
        manager.run_tools("Hi", tools=[now])
    (response,) = manager.batch_generate([GenerationRequest("Hi", tools=[WEATHER])])
    assert isinstance(response.error, NoInstanceError)
    assert server.count == 0


def test_an_address_of_an_image_is_nothing_for_ollama(make: Make) -> None:
    """The image itself is."""
    manager, (server,) = make(OLLAMA)
    with pytest.raises(NoInstanceError, match=r"can fetch images by their URL\. Providers that can: openai"):
        manager.generate("What is it?", images=[URL])
    assert server.count == 0
    manager.generate("What is it?", images=[PNG])
    assert server.count == 1


@pytest.mark.parametrize(
    ("unable", "fields"), [(SONAR, REQUESTS[TOOLS]), (OLLAMA, REQUESTS[IMAGE_URLS]), (SONAR, REQUESTS[JSON])]
)
def test_of_two_the_one_that_can_is_asked(make: Make, unable: Row, fields: dict[str, Any]) -> None:
    """20 times of 20, while plain requests go to both."""
    manager, (idle, able) = make(unable, OPENAI)
    for _ in range(20):
        assert manager.generate(PROMPT, **fields).provider == "openai"
    assert (idle.count, able.count) == (0, 20)
    for _ in range(4):
        manager.generate("Hi")
    assert idle.count > 0


def test_a_conversation_with_calls_in_it_needs_one_that_can_call(make: Make) -> None:
    """Also where no further ones are offered: the wire has to have a place for them."""
    manager, (idle, able) = make(SONAR, OPENAI)
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    messages = [
        {"role": "user", "content": "How is it in Paris?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ]
    for _ in range(4):
        manager.generate(GenerationRequest(messages=messages))
    assert (idle.count, able.count) == (0, 4)


@pytest.mark.parametrize("row", [row for row in ROWS if FORCED_TOOLS in REGISTRY[row[0]].api(row[1]).can], ids="-".join)
def test_who_can_be_made_to_call_a_tool_can_be_told_which(make: Make, row: Row) -> None:
    """By its name, or where there is no such choice by being offered no other one."""
    manager, (server,) = make(row)
    other = {"type": "function", "function": {"name": "other"}}
    choice = {"type": "function", "function": {"name": "weather"}}
    manager.generate(PROMPT, tools=[WEATHER, other], tool_choice=choice)
    body = server.requests[0].body
    assert "weather" in str(body.get("tool_choice", body.get("toolConfig"))) or "other" not in str(body["tools"])


@pytest.mark.parametrize(
    ("word", "need"),
    [("tools", TOOLS), ("tools", FORCED_TOOLS), ("images", IMAGES), ("images", IMAGE_URLS), ("schemas", SCHEMAS)],
)
def test_what_a_model_cannot_is_not_asked_of_it(make: Make, word: str, need: str) -> None:
    """Although its API can; the error says whose setting it is."""
    manager, (server,) = make(OPENAI, cannot=(word,), name="small")
    with pytest.raises(NoInstanceError) as caught:
        manager.generate(PROMPT, **REQUESTS[need])
    told = (
        f'no instance can {need}. Left out by their settings: small (cannot = ["{word}"]). Providers that can: openai,'
    )
    assert str(caught.value).startswith(told)
    assert server.count == 0
    manager.add_instance("openai", "large", "sk-key", endpoint=server.url)
    assert {manager.generate(PROMPT, **REQUESTS[need]).model for _ in range(5)} == {"large"}
    assert {manager.generate("Hi").model for _ in range(10)} == {"m", "large"}


def test_a_model_that_cannot_embed_is_not_asked_to(make: Make) -> None:
    """As a chat model at a provider that has others for it."""
    manager, (chat, other) = make(OPENAI, OPENAI, cannot=("embeddings",))
    with pytest.raises(NoInstanceError, match=r'cannot = \["embeddings"\]'):
        manager.embed(["Hi"])
    manager.add_instance("openai", "text-embedding-3-small", "sk-key", endpoint=other.url)
    assert {manager.embed(["Hi"]).model for _ in range(5)} == {"text-embedding-3-small"}
    assert (chat.count, other.count) == (0, 5)


def test_needs_that_no_single_one_has_are_one_error(make: Make) -> None:
    """Sonar looks at images and Ollama calls tools; neither does both with an address."""
    manager, servers = make(SONAR, OLLAMA)
    with pytest.raises(NoInstanceError, match=r"can call tools and fetch images by their URL\. Providers"):
        manager.generate("Hi", tools=[WEATHER], images=[URL])
    assert manager.generate("Hi", tools=[WEATHER], images=[PNG]).provider == "ollama"
    assert manager.generate("Hi", images=[URL]).provider == "perplexity"
    assert [server.count for server in servers] == [1, 1]
