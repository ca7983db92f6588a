"""Bodies that the Mistral adapter sends validate against Mistral's published schema, which is closed."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.conversations import REQUESTS, TOOLS, USER, VALUES
from tests.contract.recordings import adapter, request
from tests.contract.replay import ReplayServer, Reply, replay_server
from tests.contract.specs import faults, validator

ANSWER = Reply(body=b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}')
ALTERED = {"reasoning": {"params": {"reasoning_effort": "high"}}}  # the only efforts here are "high" and "none"
NATIVE: dict[str, dict[str, Any]] = {
    "parameters": {"params": {"safe_prompt": True, "parallel_tool_calls": False, "prompt_mode": "reasoning", "n": 2}},
    "prediction": {"params": {"prediction": {"type": "content", "content": "Two"}, "prompt_cache_key": "k"}},
    "json object": {"response_format": {"type": "json_object"}},
    "any tool": {"tools": TOOLS, "tool_choice": "any"},
    "prefix": {"messages": [USER, {"role": "assistant", "content": "It is", "prefix": True}]},
    "document": {
        "messages": [{"role": "user", "content": [{"type": "document_url", "document_url": "https://a.b/c.pdf"}]}]
    },
    "thoughts": {
        "messages": [
            USER,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                    {"type": "text", "text": "Fine."},
                ],
            },
            USER,
        ]
    },
}


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


@pytest.fixture(scope="module")
def provider(server: ReplayServer) -> Iterator[Any]:
    made = adapter("mistral", server.origin + "/v1")
    yield made
    made.close()


def sent(server: ReplayServer, provider: Any, fields: dict[str, Any]) -> dict[str, Any]:
    server.play(ANSWER)
    assert provider.generate(request("mistral-large-latest", **fields)).content == "Hi"
    body: dict[str, Any] = server.seen[0].json
    return body


@pytest.mark.parametrize("name", [*REQUESTS, *NATIVE])
def test_a_body_is_what_the_provider_describes(server: ReplayServer, provider: Any, name: str) -> None:
    """Every kind of request, and what only Mistral has."""
    check = validator("mistral", "ChatCompletionRequest")
    assert faults(check, sent(server, provider, {**REQUESTS, **ALTERED, **NATIVE}[name])) == []


def test_every_parameter_is_sent_under_its_name(server: ReplayServer, provider: Any) -> None:
    """Common ones under Mistral's names, unknown ones as they are; top_k is none of Mistral's."""
    body = sent(server, provider, {"params": {**VALUES, "custom_knob": {"a": None}}})
    values = {name: value for name, value in VALUES.items() if name not in ("seed", "top_k")}
    plain = {"model": "mistral-large-latest", "messages": [USER], "stream": False}
    assert {**body, "messages": [USER]} == {**plain, **values, "random_seed": 7, "custom_knob": {"a": None}}


def test_messages_and_tools_arrive_as_they_were_given(server: ReplayServer, provider: Any) -> None:
    """The SDK would drop every field here that it does not know, without a word."""
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Hi", "cache": True}], "x": {"y": [1]}},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "aB3dE6gH9", "function": {"name": "f", "arguments": {}}}],
        },
    ]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"anyOf": [{"$ref": "#"}]}, "new": 1}}]
    body = sent(server, provider, {"messages": messages, "tools": tools})
    assert (body["messages"], body["tools"]) == (messages, tools)
