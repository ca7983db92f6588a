"""The adapters over SDKs that do not decode, for their tests: as little as their answers, streams and errors can be."""

import json
from typing import Any

import pytest

from tests.contract.recordings import of_deltas, request
from tests.contract.replay import Reply

PROVIDERS = ("mistral", "cohere", "ollama")
VERSION = {"mistral": "/v1", "cohere": "/v2", "ollama": ""}
PATH = {"mistral": "/v1/chat/completions", "cohere": "/v2/chat", "ollama": "/api/chat"}
MODELS = {"mistral": "/v1/models", "cohere": "/v1/models?page_size=1000", "ollama": "/api/tags"}
ANSWER: dict[str, Any] = {
    # As little as an answer can be: what gateways leave out, the SDKs refuse.
    "mistral": {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]},
    "cohere": {"message": {"content": [{"type": "text", "text": "Hi"}]}, "finish_reason": "COMPLETE"},
    "ollama": {"message": {"content": "Hi"}, "done": True, "done_reason": "stop"},
}
EVENTS: dict[str, list[dict[str, Any]]] = {
    "mistral": [
        {"choices": [{"index": 0, "delta": {"content": "Hi"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ],
    "cohere": [
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hi"}}}},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}},
    ],
    "ollama": [{"message": {"content": "Hi"}, "done": False}, {"message": {}, "done": True, "done_reason": "stop"}],
}
ERROR = {
    "mistral": {"object": "error", "message": "no", "type": "internal", "code": "1000"},
    "cohere": {"id": "1", "message": "no"},
    "ollama": {"error": "no"},
}
IN_BAND = {
    "mistral": ERROR["mistral"],
    "cohere": {"type": "message-end", "delta": {"error": "no", "finish_reason": "ERROR"}},
    "ollama": ERROR["ollama"],
}
each_provider = pytest.mark.parametrize("name", PROVIDERS)
streamed_or_not = pytest.mark.parametrize("streamed", [False, True], ids=["call", "stream"])


def events(name: str, *data: Any, **changes: Any) -> Reply:
    frame, media = ("data: %s\n\n", "text/event-stream") if name != "ollama" else ("%s\n", "application/x-ndjson")
    texts = [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in data]
    return Reply(content_type=media, body="".join(frame % text for text in texts).encode(), **changes)


def good(name: str, *, streamed: bool, **changes: Any) -> Reply:
    return events(name, *EVENTS[name], **changes) if streamed else Reply(body=dumped(ANSWER[name]), **changes)


def dumped(data: Any) -> bytes:
    return json.dumps(data).encode()


def send(provider: Any, *, streamed: bool, **fields: Any) -> str:
    if streamed:
        return of_deltas(provider.stream(request(**fields))).text
    text: str = provider.generate(request(**fields)).content
    return text
