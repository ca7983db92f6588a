"""Bodies that the Anthropic adapter sends validate against Anthropic's published schema."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.conversations import REQUESTS, VALUES
from tests.contract.recordings import adapter, request
from tests.contract.replay import ReplayServer, Reply, replay_server
from tests.contract.specs import faults, validator

ANSWER = Reply(body=b'{"type":"message","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"}')
NATIVE: dict[str, dict[str, Any]] = {
    "thinking": {"params": {"thinking": {"type": "enabled", "budget_tokens": 8192}}},
    "effort and schema": {
        "params": {"reasoning_effort": "high"},
        "response_format": REQUESTS["json schema"]["response_format"],
    },
    "metadata": {"params": {"metadata": {"user_id": "u"}, "service_tier": "auto"}},
    "server tool": {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 1}]},
    "cache": {
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]},
        ]
    },
    "thoughts": {
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}]},
            {"role": "user", "content": [{"type": "document", "source": {"type": "url", "url": "https://a.b/c.pdf"}}]},
        ]
    },
}


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


def sent(server: ReplayServer, fields: dict[str, Any]) -> dict[str, Any]:
    provider = adapter("anthropic", server.play(ANSWER) + "/v1")
    assert provider.generate(request("claude-sonnet-4-6", **fields)).content == "Hi"
    provider.close()
    body: dict[str, Any] = server.seen[0].json
    return body


@pytest.mark.parametrize("name", [*REQUESTS, *NATIVE])
def test_a_body_is_what_the_provider_describes(server: ReplayServer, name: str) -> None:
    """Every kind of request, and what only Anthropic has."""
    check = validator("anthropic", "CreateMessageParams")
    assert faults(check, sent(server, {**REQUESTS, **NATIVE}[name])) == []


def test_every_common_parameter_is_sent_under_its_name(server: ReplayServer) -> None:
    """Anthropic has no seed and no penalties; all others arrive."""
    body = sent(server, {"params": {**VALUES, "custom_knob": 1}})
    assert {name: body.get(name) for name in ("max_tokens", "temperature", "top_p", "top_k")} == {
        "max_tokens": 64,
        "temperature": 0.3,
        "top_p": 0.9,
        "top_k": 40,
    }
    assert body["stop_sequences"] == ["END"]
    assert body["custom_knob"] == 1
    assert set(body) == {
        *("model", "messages", "max_tokens", "temperature", "top_p", "top_k"),
        "stop_sequences",
        "custom_knob",
    }
