"""Bodies of the Responses API out of requests in the chat-completions shape.

Source: platform.openai.com/docs/guides/migrate-to-responses (2026-11).
"""

import json
from collections.abc import Mapping
from typing import Any

from flyllm.providers.base import ApiSpec, ProviderRequest
from flyllm.providers.body_params import body_params
from flyllm.providers.call_ids import RESPONSES_LONGEST, at_most
from flyllm.providers.chat_turns import BETWEEN
from flyllm.providers.payload import dicts, mapping, text_of

Item = dict[str, Any]


def body(request: ProviderRequest, api: ApiSpec, *, instructions: bool = True) -> dict[str, Any]:
    """Return the body of a call.

    A leading system message becomes `instructions` unless those are given or switched off; `reasoning_effort` and
    `response_format` go where this API has them, beside what `reasoning` and `text` hold already.
    """
    params = body_params(request, api)
    messages = list(request.messages)
    built: dict[str, Any] = {"model": request.model}
    if instructions and "instructions" not in params and _leads(messages):
        built["instructions"] = _text(messages.pop(0).get("content"), BETWEEN)
    built["input"] = [item for message in messages for item in input_items(message)]
    built.update(params)
    if request.tools is not None:
        built["tools"] = [_tool(tool) for tool in request.tools]
    if request.tool_choice is not None:
        built["tool_choice"] = _tool_choice(request.tool_choice)
    if request.response_format is not None:
        built["text"] = {**mapping(built.get("text")), "format": _format(request.response_format)}
    return built


def input_items(message: Mapping[str, Any]) -> list[Item]:
    """Return the input items that say what a chat message says; an item of this API stays as it is."""
    role, content = message.get("role"), message.get("content")
    if role is None or message.get("type") not in (None, "message"):
        return [dict(message)]
    if role == "tool":
        call_id = _call_id(message.get("tool_call_id"))
        return [{"type": "function_call_output", "call_id": call_id, "output": _output(content)}]
    if role == "assistant":
        # As text: in parts, this API wants its own ids and annotations back.
        text = _text(content) or text_of(message.get("refusal"))
        said = [{"role": role, "content": text}] if text else []
        return said + [_call(call) for call in dicts(message.get("tool_calls"))]
    return [{"role": role, "content": content if isinstance(content, str) else _parts(content)}]


def _leads(messages: list[Mapping[str, Any]]) -> bool:
    return len(messages) > 1 and messages[0].get("role") == "system"


def _text(content: Any, between: str = "") -> str:
    if isinstance(content, str):
        return content
    return between.join(text_of(part.get("text")) or text_of(part.get("refusal")) for part in dicts(content))


def _parts(content: Any) -> list[Item]:
    return [_part(part) for part in content or ()]


def _part(part: Mapping[str, Any]) -> Item:
    kind = part.get("type")
    if kind == "text":
        return {"type": "input_text", "text": part.get("text")}
    if kind == "image_url":
        image = part.get("image_url")
        spelt = image if isinstance(image, dict) else {"url": image}
        detail = {"detail": spelt["detail"]} if spelt.get("detail") else {}
        return {"type": "input_image", "image_url": spelt.get("url"), **detail}
    if kind == "file":
        return {"type": "input_file", **mapping(part.get("file"))}
    return dict(part)


def _output(content: Any) -> str | list[Item]:
    if all(part.get("type") == "text" for part in dicts(content)):
        return _text(content, BETWEEN)
    return _parts(content)


def _call(call: Mapping[str, Any]) -> Item:
    function = mapping(call.get("function"))
    arguments = function.get("arguments")
    return {
        "type": "function_call",
        "call_id": _call_id(call.get("id")),
        "name": function.get("name"),
        "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments or {}),
    }


def _call_id(given: Any) -> Any:
    return at_most(given, RESPONSES_LONGEST) if isinstance(given, str) else given


def _tool(tool: Mapping[str, Any]) -> Item:
    function = tool.get("function")
    if not isinstance(function, dict):  # one of this API's own tools
        return dict(tool)
    # Chat completions is not strict unless told so, this API is.
    return {"type": "function", "parameters": {"type": "object", "properties": {}}, "strict": False, **function}


def _tool_choice(choice: str | Mapping[str, Any]) -> str | Item:
    if isinstance(choice, str):
        return choice
    return {"type": "function", "name": choice["function"]["name"]} if "function" in choice else dict(choice)


def _format(wanted: Mapping[str, Any]) -> Item:
    return {"type": wanted.get("type"), **mapping(wanted.get("json_schema"))}
