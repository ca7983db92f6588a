"""Bodies that the chat-completions and Responses adapters send validate against the providers' published schemas.

The schemas are no part of this project (`../shared/specs`, or the folder in FLYLLM_SPECS). Perplexity's document
describes only the retired chat completions: for the Agent API it has no request schema, so its bodies are checked
against OpenAI's without the fields in which the two differ, and those against the vendor's written rules.
"""

import json
import os
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from flyllm.providers.params import unsupported
from flyllm.providers.registry import provider_spec
from flyllm.request import COMMON_PARAMS
from tests.contract.recordings import adapter, request

FOLDER = Path(os.environ.get("FLYLLM_SPECS") or Path(__file__).parents[3] / "shared" / "specs")
SCHEMAS = {
    ("openai", "chat_completions"): ("openai", "CreateChatCompletionRequest"),
    ("openai", "responses"): ("openai", "CreateResponse"),
    ("groq", "chat_completions"): ("groq", "CreateChatCompletionRequest"),
    ("togetherai", "chat_completions"): ("together", "ChatCompletionRequest"),
    ("perplexity", "chat_completions"): ("perplexity", "ApiChatCompletionsRequest"),
    ("perplexity", "responses"): ("openai", "CreateResponse"),
}
MODELS = {"perplexity": "sonar-pro", "togetherai": "openai/gpt-oss-120b", "groq": "openai/gpt-oss-120b"}
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": WEATHER}}]
USER = {"role": "user", "content": "What is it like in Paris?"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
VALUES = {
    "max_tokens": 64,
    "temperature": 0.3,
    "top_p": 0.9,
    "top_k": 40,
    "stop": ["END"],
    "seed": 7,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "reasoning_effort": "low",
}
REQUESTS: dict[str, dict[str, Any]] = {
    "text": {},
    "system": {"messages": [{"role": "system", "content": "Be brief."}, USER]},
    "system alone": {"messages": [{"role": "system", "content": "Say hello."}]},
    "image": {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE]}]},
    "conversation": {"messages": [USER, {"role": "assistant", "content": "Fine."}, USER]},
    "tools": {"tools": TOOLS, "messages": [USER]},
    "tool results": {
        "tools": TOOLS,
        "messages": [
            USER,
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        ],
    },
    "tool_choice word": {"tools": TOOLS, "tool_choice": "required"},
    "tool_choice name": {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "weather"}}},
    "json schema": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "weather", "strict": True, "schema": WEATHER},
        }
    },
    "json object": {"response_format": {"type": "json_object"}},
    **{name: {"params": {name: VALUES[name]}} for name in COMMON_PARAMS},
    "all params": {"params": VALUES},
}
NOT_DESCRIBED: dict[tuple[str, str, str], str] = {
    ("openai", "responses", "image"): "`detail` is required there, but left out in OpenAI's own guides and examples",
    ("perplexity", "responses", "image"): "as OpenAI's; Perplexity refuses fields it does not know",
    ("togetherai", "chat_completions", "tool results"): "3.0's `nullable` in a 3.1 document, and an `index` in history",
    ("togetherai", "chat_completions", "tool_choice name"): "describes a whole tool call, with an id, as the choice",
    ("perplexity", "chat_completions", "json object"): "tells only of json_schema",
}
"""Where a description is wrong or silent, with the reason: what users may send is sent nevertheless."""

NOT_LISTED = {
    ("perplexity", "chat_completions"): {
        # docs.perplexity.ai names these, its OpenAPI document does not.
        *("top_k", "presence_penalty", "frequency_penalty", "tools", "tool_choice"),
    },
    ("perplexity", "responses"): {"preset", "response_format"},
}
CASES = [
    pytest.param(*door, name, id=f"{'-'.join(door)}-{name.replace(' ', '_')}") for door in SCHEMAS for name in REQUESTS
]


@cache
def validator(document: str, schema: str) -> Draft202012Validator:
    file = FOLDER / f"{document}.json"
    if not file.exists():
        pytest.skip(f"no published descriptions in {FOLDER} (set FLYLLM_SPECS)")
    components = json.loads(file.read_text("utf-8"))["components"]
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": components})


def body_of(provider: str, api: str, fields: dict[str, Any]) -> dict[str, Any]:
    made = adapter(provider, "http://127.0.0.1:1/v1", api=api)
    built: dict[str, Any] = made.body(request(MODELS.get(provider, "gpt-5.4"), **fields))
    return json.loads(json.dumps(built))  # type: ignore[no-any-return]


def fields(document: str, schema: str) -> set[str]:
    """All property names that a schema, its parts and its bases tell."""
    root = validator(document, schema).schema
    found: set[str] = set()
    todo: list[Any] = [{"$ref": root["$ref"]}]
    while todo:
        part = todo.pop()
        if "$ref" in part:
            todo.append(root["components"]["schemas"][part["$ref"].rsplit("/", 1)[1]])
        todo += [*part.get("allOf", ()), *part.get("anyOf", ()), *part.get("oneOf", ())]
        found |= set(part.get("properties", ()))
    return found


def at(body: Any, path: str) -> Any:
    """What stands in a body at names joined by dots."""
    return reduce(getitem, path.split("."), body)


@pytest.mark.parametrize(("provider", "api", "name"), CASES)
def test_a_body_is_what_the_provider_describes(provider: str, api: str, name: str) -> None:
    """Every kind of request, for every door of the OpenAI family."""
    check = validator(*SCHEMAS[provider, api])
    body = body_of(provider, api, REQUESTS[name])
    own = NOT_LISTED.get((provider, api), set())
    assert set(body) <= fields(*SCHEMAS[provider, api]) | own
    described = {field: value for field, value in body.items() if field not in own}
    valid = check.is_valid(described)
    assert valid == ((provider, api, name) not in NOT_DESCRIBED), [
        e.message[:300] for e in check.iter_errors(described)
    ]


@pytest.mark.parametrize("door", SCHEMAS, ids="-".join)
def test_every_parameter_of_a_row_is_one_the_provider_describes(door: tuple[str, str]) -> None:
    """What the registry says a provider takes is what the provider says."""
    row = provider_spec(door[0]).api(door[1])
    assert {wire.partition(".")[0] for wire in row.params.values()} <= fields(*SCHEMAS[door]) | NOT_LISTED.get(
        door, set()
    )


@pytest.mark.parametrize("door", SCHEMAS, ids="-".join)
def test_a_common_parameter_is_sent_or_reported(door: tuple[str, str]) -> None:
    """None is lost: each is in the body under the provider's name, or named as unsupported."""
    row = provider_spec(door[0]).api(door[1])
    body = body_of(*door, {"params": VALUES})
    dropped = unsupported(VALUES, row.params)
    assert {name for name in VALUES if name not in dropped} == set(row.params)
    assert all(at(body, row.params[name]) == VALUES[name] for name in row.params)
    assert not set(dropped) & set(body)


@pytest.mark.parametrize("name", REQUESTS)
def test_perplexitys_agent_gets_no_field_that_it_refuses(name: str) -> None:
    """Its own rules (github.com/perplexityai/api-platform-developers, request-mapping.md): any other field is a 400."""
    body = body_of("perplexity", "responses", REQUESTS[name])
    allowed = {"model", "preset", "input", "max_output_tokens", "temperature", "top_p", "tools", "tool_choice"}
    assert set(body) <= allowed | {"response_format", "reasoning"}
    assert {item.get("role") for item in body["input"]} <= {"user", "assistant", "system", "developer", None}
