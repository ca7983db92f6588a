"""Bodies that the Ollama adapter sends validate against Ollama's published schema."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyllm.errors import InvalidRequestError
from tests.contract.conversations import CALLS, PICTURE, PNG, REQUESTS, USER, VALUES, image
from tests.contract.recordings import adapter, request
from tests.contract.replay import ReplayServer, Reply, replay_server
from tests.contract.specs import faults, validator

ANSWER = Reply(body=b'{"model":"m","message":{"role":"assistant","content":"Hi"},"done":true,"done_reason":"stop"}')
ALTERED = {
    # Ollama fetches no images by URL.
    "image": {"messages": [{"role": "user", "content": list(PICTURE)}]},
}
NATIVE: dict[str, dict[str, Any]] = {
    "top level": {"params": {"think": "high", "keep_alive": "5m", "logprobs": True, "top_logprobs": 3}},
    "keep alive": {"params": {"keep_alive": 0, "think": False}},
    "options": {"params": {"num_ctx": 8192, "options": {"mirostat": 2}, "repeat_penalty": 1.1}},
    "json object": {"response_format": {"type": "json_object"}},
    "format": {"params": {"format": {"type": "object", "anyOf": [{}]}}},
}


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


@pytest.fixture(scope="module")
def provider(server: ReplayServer) -> Iterator[Any]:
    made = adapter("ollama", server.origin)
    yield made
    made.close()


def sent(server: ReplayServer, provider: Any, fields: dict[str, Any]) -> dict[str, Any]:
    server.play(ANSWER)
    assert provider.generate(request("llama3.2", **fields)).content == "Hi"
    body: dict[str, Any] = server.seen[0].json
    return body


@pytest.mark.parametrize("name", [*REQUESTS, *NATIVE])
def test_a_body_is_what_the_provider_describes(server: ReplayServer, provider: Any, name: str) -> None:
    """Every kind of request, and what only Ollama has."""
    check = validator("ollama", "ChatRequest")
    body = sent(server, provider, {**REQUESTS, **ALTERED, **NATIVE}[name])
    assert list(faults(check, body)) == []


def test_every_parameter_is_sent_where_it_belongs(server: ReplayServer, provider: Any) -> None:
    """Beside the messages what stands there, among the options everything else."""
    params = {**VALUES, "think": True, "keep_alive": "1m", "num_ctx": 512, "options": {"mirostat": 2}}
    body = sent(server, provider, {"params": params})
    assert (body["think"], body["keep_alive"], body["stream"]) == (True, "1m", False)
    assert body["options"] == {
        "num_predict": 64,
        "temperature": 0.3,
        "top_p": 0.9,
        "top_k": 40,
        "stop": ["END"],
        "seed": 7,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.5,
        "num_ctx": 512,
        "mirostat": 2,
    }


def test_tools_and_their_results_take_ollama_s_shape(server: ReplayServer, provider: Any) -> None:
    """Arguments are objects, and a result names its function where others name the call."""
    body = sent(server, provider, REQUESTS["tool results"])
    assert body["messages"][1]["tool_calls"] == [
        {"function": {"name": "weather", "arguments": {"city": "Paris"}}},
        {"function": {"name": "now", "arguments": {}}},
    ]
    assert [message.get("tool_name") for message in body["messages"]] == [None, None, "weather", "now", None]


def test_an_image_is_never_read_from_the_disk(server: ReplayServer, provider: Any, tmp_path: Path) -> None:
    """The SDK uploads the file where an image's text is the name of one."""
    file = tmp_path / "secret"
    file.write_text("secret")
    body = sent(server, provider, ALTERED["image"])
    assert body["messages"][0]["images"] == [PNG]
    server.play(ANSWER)
    for url in (str(file), file.as_uri(), "https://example.com/a.jpg", f"data:image/png;base64,{file}!"):
        with pytest.raises(InvalidRequestError):
            provider.generate(request(messages=[{"role": "user", "content": [image(url)]}]))
    assert server.seen == []


def test_arguments_that_are_no_object_are_the_callers_fault(server: ReplayServer, provider: Any) -> None:
    """Ollama takes objects only."""
    server.play(ANSWER)
    broken = {**CALLS, "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{oops"}}]}
    with pytest.raises(InvalidRequestError, match="c1"):
        provider.generate(request(messages=[USER, broken]))
    assert server.seen == []
