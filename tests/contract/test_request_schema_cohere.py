"""Bodies that the Cohere adapter sends validate against Cohere's published schema."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.contract.conversations import REQUESTS, USER, VALUES
from tests.contract.recordings import adapter, request
from tests.contract.replay import ReplayServer, Reply, replay_server
from tests.contract.specs import FOLDER, faults

ANSWER = Reply(body=b'{"id":"1","finish_reason":"COMPLETE","message":{"content":[{"type":"text","text":"Hi"}]}}')
NATIVE: dict[str, dict[str, Any]] = {
    "thinking": {"params": {"thinking": {"type": "enabled", "token_budget": 200}}},
    "documents": {"params": {"documents": [{"data": {"title": "T", "snippet": "S"}}], "safety_mode": "STRICT"}},
    "json object": {"response_format": {"type": "json_object", "json_schema": {"type": "object"}}},
    "plan": {"messages": [USER, {**REQUESTS["tool results"]["messages"][1], "tool_plan": "I look."}, USER]},
    "image detail": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "data:x;base64,", "detail": "low"}}],
            }
        ]
    },
}


@cache
def described() -> Draft202012Validator:
    """Return the validator of a /v2/chat body, which has no name in the document."""
    file = FOLDER / "cohere.json"
    if not file.exists():
        pytest.skip(f"no published descriptions in {FOLDER} (set FLYLLM_SPECS)")
    document = json.loads(file.read_text("utf-8"))
    # Its two alternatives both allow both types; the `discriminator`, which JSON Schema ignores, tells them apart.
    formats = document["components"]["schemas"]["ResponseFormatV2"]
    formats["anyOf"] = formats.pop("oneOf")
    schema = document["paths"]["/v2/chat"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": document["components"]})


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    with replay_server() as running:
        yield running


@pytest.fixture(scope="module")
def provider(server: ReplayServer) -> Iterator[Any]:
    made = adapter("cohere", server.origin + "/v2")
    yield made
    made.close()


def sent(server: ReplayServer, provider: Any, fields: dict[str, Any]) -> dict[str, Any]:
    server.play(ANSWER)
    assert provider.generate(request("command-a-03-2025", **fields)).content == "Hi"
    body: dict[str, Any] = server.seen[0].json
    return body


@pytest.mark.parametrize("name", [*REQUESTS, *NATIVE])
def test_a_body_is_what_the_provider_describes(server: ReplayServer, provider: Any, name: str) -> None:
    """Every kind of request, and what only Cohere has."""
    assert faults(described(), sent(server, provider, {**REQUESTS, **NATIVE}[name])) == []


def test_every_parameter_is_sent_under_its_name(server: ReplayServer, provider: Any) -> None:
    """Common ones under Cohere's names, unknown ones as they are."""
    body = sent(server, provider, {"params": {**VALUES, "custom_knob": {"a": None}}})
    assert {name: value for name, value in body.items() if name not in ("model", "messages", "stream")} == {
        "max_tokens": 64,
        "temperature": 0.3,
        "p": 0.9,
        "k": 40,
        "stop_sequences": ["END"],
        "seed": 7,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.5,
        "custom_knob": {"a": None},
    }


@pytest.mark.parametrize(
    ("choice", "word", "names"),
    [
        ("auto", None, ["weather", "now"]),
        ("none", "NONE", ["weather", "now"]),
        ("required", "REQUIRED", ["weather", "now"]),
        ("REQUIRED", "REQUIRED", ["weather", "now"]),
        ({"type": "function", "function": {"name": "now"}}, "REQUIRED", ["now"]),
    ],
)
def test_a_tool_is_chosen_in_cohere_s_words(
    server: ReplayServer, provider: Any, choice: Any, word: str | None, names: list[str]
) -> None:
    """A named tool is the only one offered: Cohere has no other way to say it."""
    body = sent(server, provider, {"tools": REQUESTS["tools"]["tools"], "tool_choice": choice})
    assert body.get("tool_choice") == word
    assert [tool["function"]["name"] for tool in body["tools"]] == names
