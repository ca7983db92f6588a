"""What the Mistral adapter changes in a chat-completions body, and what it keeps from the SDK."""

import asyncio
import gc
import logging
from typing import Any

import pytest

from flyllm._secret import Secret
from flyllm.providers.base import ProviderRequest, ProviderSettings
from flyllm.providers.mistral import MistralChat
from flyllm.providers.registry import provider_spec

SPEC = provider_spec("mistral")


@pytest.fixture
def adapter() -> MistralChat:
    return MistralChat(ProviderSettings(SPEC, SPEC.apis[0], Secret("k-0123456789"), "http://127.0.0.1:1/v1"))


def built(adapter: MistralChat, **fields: Any) -> dict[str, Any]:
    return adapter.body(ProviderRequest(**{"model": "m", "messages": [], **fields}))


def test_developers_speak_as_the_system(adapter: MistralChat) -> None:
    """Mistral knows no other role for them; the messages given are not changed."""
    messages = [{"role": "developer", "content": "Hi", "x": 1}, {"role": "user", "content": "Hi"}]
    assert built(adapter, messages=messages)["messages"] == [{**messages[0], "role": "system"}, messages[1]]
    assert messages[0]["role"] == "developer"


def test_a_function_always_has_parameters(adapter: MistralChat) -> None:
    """They are required there; tools of other kinds are left alone."""
    tools = [{"type": "function", "function": {"name": "f"}}, {"type": "web_search"}]
    assert built(adapter, tools=tools)["tools"] == [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}},
        {"type": "web_search"},
    ]
    assert "parameters" not in tools[0]["function"]


def test_the_key_is_nowhere_in_the_sdk(adapter: MistralChat, caplog: pytest.LogCaptureFixture) -> None:
    """It joins the request below the SDK, which logs headers and puts requests into its exceptions."""
    caplog.set_level(logging.DEBUG)
    client = adapter._client.get()
    assert client.sdk_configuration.security.api_key == "none"
    assert client.sdk_configuration.telemetry is False
    assert "k-0123456789" not in caplog.text


def test_no_event_loop_is_run_when_a_client_goes(adapter: MistralChat, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's finaliser does that for an async client of its own."""
    ran: list[Any] = []
    monkeypatch.setattr(asyncio, "run", ran.append)
    adapter._client.get()
    adapter.close()
    gc.collect()
    assert ran == []
