"""Requests of every kind in flyllm's terms, for the tests of what adapters send."""

from typing import Any

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "now"}},
]
USER = {"role": "user", "content": "What is it like in Paris?"}
PNG = "iVBORw0KGgo="
VALUES: dict[str, Any] = {
    "max_tokens": 64,
    "temperature": 0.3,
    "top_p": 0.9,
    "top_k": 40,
    "stop": ["END"],
    "seed": 7,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(call_id: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


PICTURE = {"type": "text", "text": "This is it."}, image(f"data:image/png;base64,{PNG}")
CALLS = {
    "role": "assistant",
    "content": None,
    "tool_calls": [call("c1", "weather", '{"city":"Paris"}'), call("c2", "now", "")],
}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "weather", "strict": True, "schema": WEATHER}}
REQUESTS: dict[str, dict[str, Any]] = {
    "text": {},
    "system": {
        "messages": [{"role": "system", "content": "Be brief."}, USER, {"role": "developer", "content": "Now."}]
    },
    "system parts": {"messages": [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}, USER]},
    "image": {"messages": [{"role": "user", "content": [*PICTURE, image("https://example.com/a.jpg")]}]},
    "conversation": {"messages": [USER, {"role": "assistant", "content": "Fine."}, USER, USER]},
    "tools": {"tools": TOOLS, "messages": [USER]},
    "tool results": {
        "tools": TOOLS,
        "messages": [USER, CALLS, result("c1", '{"sky":"blue"}'), result("c2", "noon"), USER],
    },
    "tool result with image": {"messages": [USER, CALLS, result("c1", list(PICTURE)), result("c2", "noon")]},
    "calls with text": {"messages": [USER, {**CALLS, "content": "I look."}, result("c1", ""), result("c2", "noon")]},
    "tool_choice auto": {"tools": TOOLS, "tool_choice": "auto"},
    "tool_choice none": {"tools": TOOLS, "tool_choice": "none"},
    "tool_choice required": {"tools": TOOLS, "tool_choice": "required"},
    "tool_choice name": {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "weather"}}},
    "json schema": {"response_format": SCHEMA},
    "plain text": {"response_format": {"type": "text"}},
    "reasoning": {"params": {"reasoning_effort": "low"}},
    "stop word": {"params": {"stop": "END"}},
    "nothing": {"params": dict.fromkeys(VALUES)},
    **{name: {"params": {name: value}} for name, value in VALUES.items()},
    "all params": {"params": VALUES},
}
