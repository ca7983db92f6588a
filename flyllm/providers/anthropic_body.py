"""Requests on Anthropic's Messages wire, made from the chat-completions shape."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flyllm.errors import InvalidRequestError
from flyllm.providers.base import ApiSpec, ProviderRequest
from flyllm.providers.messages import (
    Part,
    call_arguments,
    calls,
    conversation,
    data_url,
    function_name,
    image_url,
    own_extra,
    parts,
    response_schema,
    system_parts,
)
from flyllm.providers.params import as_list, wire_params
from flyllm.providers.payload import mapping, text_of

MAX_TOKENS = 4096
"""Sent where a request has no `max_tokens`, which this API requires; every model since Claude 3 can write as many."""

_CHOICES: dict[str, dict[str, Any]] = {
    "auto": {"type": "auto"},
    "required": {"type": "any"},
    "none": {"type": "none"},
}


def body(request: ProviderRequest, api: ApiSpec) -> dict[str, Any]:
    """Return the body of a call.

    `reasoning_effort` becomes `output_config.effort`; every other parameter goes out under its own name. Content parts
    of types that chat completions do not know (document, thinking, ...) go out as they are, and so do tools that
    are no functions.
    """
    params = wire_params(request.params, api.params)
    effort = params.pop("reasoning_effort", None)
    built: dict[str, Any] = {"model": request.model, "messages": _turns(request.messages)}
    if system := system_parts(request.messages):
        built["system"] = _system(system)
    if request.tools:
        built["tools"] = [_tool(tool) for tool in request.tools]
    if request.tool_choice is not None:
        built["tool_choice"] = _tool_choice(request.tool_choice)
    built.update(params)
    built.setdefault("max_tokens", _room(params))
    if "stop_sequences" in built:
        built["stop_sequences"] = as_list(built["stop_sequences"])
    if output := _output_config(request.response_format, effort):
        built["output_config"] = {**output, **mapping(params.get("output_config"))}
    return built


def _room(params: Mapping[str, Any]) -> int:
    # max_tokens covers thinking as well and must be greater than its budget.
    budget = mapping(params.get("thinking")).get("budget_tokens")
    return MAX_TOKENS + (budget if isinstance(budget, int) else 0)


def _system(found: Sequence[Part]) -> str | list[Part]:
    if all(set(part) == {"type", "text"} for part in found):
        return "\n\n".join(part["text"] for part in found)
    return list(found)  # parts with cache_control or the like


def _turns(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    for message in conversation(messages):
        role, blocks = _turn(message)
        # Results of parallel calls must stand in one turn; servers other than Anthropic's want roles to alternate.
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return [{**turn, "content": _plain(turn["content"])} for turn in turns]


def _turn(message: Mapping[str, Any]) -> tuple[str, list[Any]]:
    if message["role"] == "tool":
        return "user", [_tool_result(message)]
    blocks = _blocks(message.get("content"))
    if message["role"] == "assistant":
        return "assistant", _thinking(message) + blocks + [_tool_use(call) for call in calls(message)]
    return "user", blocks


def _thinking(message: Mapping[str, Any]) -> list[Part]:
    return list(mapping(own_extra(message, "anthropic").get("anthropic")).get("thinking") or ())


def _plain(blocks: list[Part]) -> str | list[Part]:
    if not blocks:
        return ""
    return blocks[0]["text"] if len(blocks) == 1 and set(blocks[0]) == {"type", "text"} else blocks


def _blocks(content: Any) -> list[Part]:
    return [_image(part) if part.get("type") == "image_url" else part for part in parts(content)]


def _image(part: Part) -> Part:
    url = image_url(part)
    inline = data_url(url)
    if inline is None:
        return {"type": "image", "source": {"type": "url", "url": url}}
    media_type, data = inline
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def _tool_use(call: Mapping[str, Any]) -> Part:
    arguments = call_arguments(call)
    return {"type": "tool_use", "id": _id(call.get("id")), "name": function_name(call), "input": arguments}


def _tool_result(message: Mapping[str, Any]) -> Part:
    content = _plain(_blocks(message.get("content")))
    return {"type": "tool_result", "tool_use_id": _id(message.get("tool_call_id")), "content": content}


def _id(given: Any) -> str:
    # Ids of calls that another provider's model made may have characters that are refused here.
    return re.sub(r"[^a-zA-Z0-9_-]", "_", text_of(given))


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    function = tool.get("function")
    if not isinstance(function, Mapping):
        return tool
    made = {name: function[name] for name in ("name", "description", "strict") if function.get(name) is not None}
    return {**made, "input_schema": function.get("parameters") or {"type": "object", "properties": {}}}


def _tool_choice(choice: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(choice, str):
        if choice not in _CHOICES:
            raise InvalidRequestError(f"tool_choice {choice!r} is none of {', '.join(_CHOICES)}")
        return _CHOICES[choice]
    function = choice.get("function")
    return {"type": "tool", "name": function["name"]} if isinstance(function, Mapping) else choice


def _output_config(response_format: Mapping[str, Any] | None, effort: Any) -> dict[str, Any]:
    config: dict[str, Any] = {} if effort is None else {"effort": effort}
    schema = response_schema(response_format)
    if schema is not None:
        config["format"] = {"type": "json_schema", "schema": schema}
    elif (response_format or {}).get("type") == "json_object":
        raise InvalidRequestError(
            "Anthropic cannot promise JSON without a schema: give response_format a json_schema instead of json_object"
        )
    return config
