"""Round two of a run, field by field, as each provider documents it: calls, results and functions on its own wire.

Written by hand from platform.openai.com/docs/guides/function-calling and /migrate-to-responses,
docs.claude.com/en/docs/agents-and-tools/tool-use, ai.google.dev/gemini-api/docs/function-calling and
/thought-signatures, docs.mistral.ai/capabilities/function_calling, docs.cohere.com/docs/tool-use-overview,
docs.ollama.com/capabilities/tool-calling.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.specs import faults, validator
from tests.contract.test_tools import (
    ASKED,
    EVERY,
    NOW,
    ROWS,
    SCHEMAS,
    WEATHER,
    Row,
    World,
    calling,
    now,
    script,
    simulator,
    weather,
    world,
)

__all__ = ["simulator", "world"]  # fixtures

Json = dict[str, Any]
FUNCTIONS: list[Json] = [
    {
        "name": "weather",
        "description": "Tell the weather.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "where"},
                "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
            },
            "required": ["city"],
            "additionalProperties": False,
        },
    },
    {
        "name": "now",
        "description": "Tell the time.",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    },
]
RESULT = {"sky": "blue", "city": "Köln", "unit": "FAHRENHEIT"}
RESULT_TEXT, ARGUMENTS_TEXT = json.dumps(RESULT, ensure_ascii=False), '{"city":"Köln","unit":"F"}'
SYSTEM, USER = {"role": "system", "content": "Be brief."}, {"role": "user", "content": ASKED}


def chat(calls: list[Json] | None = None, **others: Any) -> Json:
    made: list[Json] = calls or [
        {"id": "id0", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS_TEXT}},
        {"id": "id1", "type": "function", "function": {"name": "now", "arguments": "{}"}},
    ]
    return {
        "model": "model-1",
        "messages": [
            SYSTEM,
            USER,
            {"role": "assistant", "content": None, "tool_calls": made},
            {"role": "tool", "tool_call_id": "id0", "content": RESULT_TEXT},
            {"role": "tool", "tool_call_id": "id1", "content": "noon"},
        ],
        "tools": [{"type": "function", "function": function} for function in FUNCTIONS],
        **others,
    }


def signed() -> Json:
    first, second = chat()["messages"][2]["tool_calls"]
    return chat([{**first, "extra_content": {"google": {"thought_signature": "SIGNATURE"}}}, second])


def cohere() -> Json:
    body = chat(stream=False)
    del body["messages"][2]["content"]  # which it refuses to be null
    return body


def responses(**others: Any) -> Json:
    return {
        "model": "model-1",
        "input": [
            USER,
            {"type": "function_call", "call_id": "id0", "name": "weather", "arguments": ARGUMENTS_TEXT},
            {"type": "function_call", "call_id": "id1", "name": "now", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "id0", "output": RESULT_TEXT},
            {"type": "function_call_output", "call_id": "id1", "output": "noon"},
        ],
        "tools": [{"type": "function", "strict": False, **function} for function in FUNCTIONS],
        **others,
    }


def anthropic() -> Json:
    return {
        "model": "model-1",
        "max_tokens": 4096,
        "system": "Be brief.",
        "messages": [
            USER,
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "id0", "name": "weather", "input": {"city": "Köln", "unit": "F"}},
                    {"type": "tool_use", "id": "id1", "name": "now", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "id0", "content": RESULT_TEXT},
                    {"type": "tool_result", "tool_use_id": "id1", "content": "noon"},
                ],
            },
        ],
        "tools": [
            {"name": each["name"], "description": each["description"], "input_schema": each["parameters"]}
            for each in FUNCTIONS
        ],
    }


def google() -> Json:
    return {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": ASKED}]},
            {
                "role": "model",
                "parts": [
                    {
                        "functionCall": {"id": "id0", "name": "weather", "args": {"city": "Köln", "unit": "F"}},
                        "thoughtSignature": "SIGNATURE",
                    },
                    {"functionCall": {"id": "id1", "name": "now", "args": {}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"id": "id0", "name": "weather", "response": RESULT}},
                    {"functionResponse": {"id": "id1", "name": "now", "response": {"result": "noon"}}},
                ],
            },
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": each["name"],
                        "description": each["description"],
                        "parametersJsonSchema": each["parameters"],
                    }
                    for each in FUNCTIONS
                ]
            }
        ],
    }


def ollama() -> Json:
    return {
        "model": "model-1",
        "stream": False,
        "messages": [
            SYSTEM,
            USER,
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"function": {"name": "weather", "arguments": {"city": "Köln", "unit": "F"}}},
                    {"function": {"name": "now", "arguments": {}}},
                ],
            },
            {"role": "tool", "tool_name": "weather", "content": RESULT_TEXT},
            {"role": "tool", "tool_name": "now", "content": "noon"},
        ],
        "tools": [{"type": "function", "function": function} for function in FUNCTIONS],
    }


GOLDEN: dict[Row, Json] = {
    ("openai", "chat_completions"): chat(),
    ("openai", "responses"): responses(instructions="Be brief."),
    ("anthropic", "messages"): anthropic(),
    ("google", "generate_content"): google(),
    ("google", "chat_completions"): signed(),
    ("mistral", "chat_completions"): chat(stream=False),
    ("cohere", "chat"): cohere(),
    ("groq", "chat_completions"): chat(),
    ("togetherai", "chat_completions"): chat(),
    ("perplexity", "responses"): {**responses(), "input": [SYSTEM, *responses()["input"]]},
    ("ollama", "chat"): ollama(),
    ("ollama", "chat_completions"): chat(),
    ("lmstudio", "chat_completions"): chat(),
}


def sent(w: World) -> Json:
    """Return the body of round two, ids and signatures by short names."""
    script(w.servers[0], calling(WEATHER, NOW), "Fine.")
    run = w.manager.run_tools(ASKED, tools=[weather, now], system="Be brief.")
    text = json.dumps(w.body())
    for number, call in enumerate(run.messages[2]["tool_calls"]):
        text = text.replace(call["id"], f"id{number}")
        for extra in call.get("extra_content", {}).values():
            text = text.replace(extra["thought_signature"], "SIGNATURE")
    body: Json = json.loads(text)
    return body


@EVERY
def test_round_two_is_what_the_provider_documents(world: Callable[..., World], row: Row) -> None:
    """Nothing more and nothing less."""
    assert sent(world(row)) == GOLDEN[row]


@pytest.mark.parametrize("row", [row for row in ROWS if row in SCHEMAS], ids="-".join)
def test_round_two_validates_against_the_published_description(world: Callable[..., World], row: Row) -> None:
    """Where the provider publishes one."""
    w = world(row)
    sent(w)
    assert faults(validator(*SCHEMAS[row]), w.body()) == []
