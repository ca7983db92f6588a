"""Bodies that the Google adapter sends validate against Google's published schema."""

from collections.abc import Iterator
from typing import Any

import pytest

from flyllm.providers import google_body
from flyllm.providers.registry import provider_spec
from tests.contract.conversations import REQUESTS, VALUES
from tests.contract.recordings import adapter, request
from tests.contract.replay import ReplayServer, Reply, replay_server
from tests.contract.specs import faults, validator

ANSWER = Reply(body=b'{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP"}]}')
SAFETY = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
NATIVE: dict[str, dict[str, Any]] = {
    "json object": {"response_format": {"type": "json_object"}},
    "safety": {"params": {"safety_settings": SAFETY, "cachedContent": "cachedContents/1"}},
    "thinking": {"params": {"thinking_config": {"thinkingBudget": 0, "includeThoughts": True}}},
    "modalities": {"params": {"responseModalities": ["TEXT"], "generationConfig": {"candidateCount": 1}}},
    "search": {"tools": [{"googleSearch": {}}], "params": {"tools": [{"urlContext": {}}]}},
    "tool config": {"tool_choice": "auto", "params": {"toolConfig": {"includeServerSideToolInvocations": True}}},
    "native part": {
        "messages": [
            {"role": "user", "content": [{"fileData": {"fileUri": "https://youtu.be/x", "mimeType": "video/mp4"}}]}
        ]
    },
}
NEWER = {"labels", "continuationToken"}


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


def sent(server: ReplayServer, fields: dict[str, Any]) -> dict[str, Any]:
    provider = adapter("google", server.play(ANSWER) + "/v1beta")
    assert provider.generate(request("gemini-3-flash", **fields)).content == "Hi"
    provider.close()
    body: dict[str, Any] = server.seen[0].json
    return body


@pytest.mark.parametrize("name", [*REQUESTS, *NATIVE])
def test_a_body_is_what_the_provider_describes(server: ReplayServer, name: str) -> None:
    """Every kind of request, and what only Google has."""
    check = validator("gemini", "Req_GenerateContentRequest")
    assert faults(check, sent(server, {**REQUESTS, **NATIVE}[name])) == []


@pytest.mark.parametrize("name", [*REQUESTS, *NATIVE])
def test_the_sdk_sends_the_body_it_is_given(server: ReplayServer, name: str) -> None:
    """Nothing of the SDK's own stands in it: neither its placeholder nor respelt keys."""
    fields = {**REQUESTS, **NATIVE}[name]
    built = google_body.body(request("gemini-3-flash", **fields), provider_spec("google").apis[0])
    assert sent(server, fields) == built


def test_every_common_parameter_is_sent_under_its_name(server: ReplayServer) -> None:
    """Google takes all of them; a parameter nobody knows arrives as it was given."""
    body = sent(server, {"params": {**VALUES, "custom_knob": {"a_b": 1}, "nothing": None}})
    assert body["generationConfig"] == {
        "maxOutputTokens": 64,
        "temperature": 0.3,
        "topP": 0.9,
        "topK": 40,
        "stopSequences": ["END"],
        "seed": 7,
        "presencePenalty": 0.5,
        "frequencyPenalty": 0.5,
        "custom_knob": {"a_b": 1},
    }


def test_the_known_names_are_the_published_ones() -> None:
    """What is sorted by name here is what Google's description has, and what is newer than it."""
    schemas = validator("gemini", "Req_GenerateContentRequest").schema["components"]["schemas"]

    def described(schema: str) -> set[str]:
        return {name for name in schemas[schema]["properties"] if "_" not in name}  # both spellings stand there

    assert described("Req_GenerationConfig") == google_body.GENERATION
    assert described("Req_GenerateContentRequest") - {"contents", "model"} == google_body.TOP_LEVEL - NEWER
