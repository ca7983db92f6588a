"""Requests on Anthropic's Messages wire, made from the chat-completions shape."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flyllm.errors import InvalidRequestError
from flyllm.providers.base import ApiSpec, ProviderRequest
from flyllm.providers.body_params import body_params
from flyllm.providers.messages import (
    Part,
    call_arguments,
    calls,
    data_url,
    function_name,
    image_url,
    own_extra,
    parts,
    response_schema,
    spoken,
)
from flyllm.providers.params import as_list
from flyllm.providers.payload import mapping, text_of

MAX_TOKENS = 4096
"""Sent where a request has no `max_tokens`, which this API requires; every model since Claude 3 can write as many."""

ADAPTIVE_MAX_TOKENS = 16_000
"""The same where a model thinks as long as it sees fit: what the documentation's examples of that have."""

_CHOICES: dict[str, dict[str, Any]] = {
    "auto": {"type": "auto"},
    "required": {"type": "any"},
    "none": {"type": "none"},
}


def body(request: ProviderRequest, api: ApiSpec) -> dict[str, Any]:
    """Return the body of a call.

    `reasoning_effort` becomes `output_config.effort`, with adaptive thinking where nothing is against it; every other
    parameter goes out under its own name. Content parts of types that chat completions do not know (document,
    thinking, ...) go out as they are, and so do tools that are no functions.
    """
    params = body_params(request, api)
    system, others = spoken(request.messages)
    built: dict[str, Any] = {"model": request.model, "messages": _turns(others)}
    if told := _said(system):
        built["system"] = _system(told)
    if request.tools:
        built["tools"] = [_tool(tool) for tool in request.tools]
    if request.tool_choice is not None:
        built["tool_choice"] = _tool_choice(request.tool_choice)
    built.update(params)
    if "thinking" not in request.params and not _may_think(built):
        built.pop("thinking", None)
    built.setdefault("max_tokens", _room(mapping(built.get("thinking"))))
    if "stop_sequences" in built:
        built["stop_sequences"] = as_list(built["stop_sequences"])
    if output := _output_config(request.response_format):
        built["output_config"] = {**output, **mapping(params.get("output_config"))}
    return built


def _may_think(built: Mapping[str, Any]) -> bool:
    # Thinking is refused beside these (docs.claude.com/en/docs/build-with-claude/extended-thinking); effort is not.
    if mapping(built.get("thinking")).get("type") == "disabled":
        return True
    forced = mapping(built.get("tool_choice")).get("type") in ("any", "tool")
    return not forced and built.get("temperature") in (None, 1) and not {"top_k", "top_p"} & built.keys()


def _room(thinking: Mapping[str, Any]) -> int:
    # max_tokens covers thinking as well and must be greater than its budget.
    budget = thinking.get("budget_tokens")
    if thinking.get("type") == "adaptive":
        return ADAPTIVE_MAX_TOKENS
    return MAX_TOKENS + (budget if isinstance(budget, int) else 0)


def _system(found: Sequence[Part]) -> str | list[Part]:
    if all(set(part) == {"type", "text"} for part in found):
        return "\n\n".join(part["text"] for part in found)
    return list(found)  # parts with cache_control or the like


def _turns(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    for message in messages:
        role, blocks = _turn(message)
        # Results of parallel calls must stand in one turn; servers other than Anthropic's want roles to alternate.
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:  # "all messages must have non-empty content"
            turns.append({"role": role, "content": blocks})
    if turns and turns[-1]["role"] == "assistant":
        turns[-1]["content"] = _ending(turns[-1]["content"])
    return [{**turn, "content": _plain(turn["content"])} for turn in turns]


def _ending(blocks: list[Part]) -> list[Part]:
    # "messages: final assistant content cannot end with trailing whitespace"
    last = blocks[-1]
    return [*blocks[:-1], {**last, "text": str(last["text"]).rstrip()}] if last.get("type") == "text" else blocks


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
    return [_image(part) if part.get("type") == "image_url" else part for part in _said(parts(content))]


def _said(found: Sequence[Part]) -> list[Part]:
    # "messages: text content blocks must contain non-whitespace text" (anthropics/claude-code issue 23440)
    return [part for part in found if part.get("type") != "text" or not str(part.get("text")).isspace()]


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


def _output_config(response_format: Mapping[str, Any] | None) -> dict[str, Any]:
    config: dict[str, Any] = {}
    schema = response_schema(response_format)
    if schema is not None:
        config["format"] = {"type": "json_schema", "schema": schema}
    elif (response_format or {}).get("type") == "json_object":
        raise InvalidRequestError(
            "Anthropic cannot promise JSON without a schema: give response_format a json_schema instead of json_object"
        )
    return config
