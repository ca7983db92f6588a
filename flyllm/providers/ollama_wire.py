"""Ollama's own chat API: bodies, answers and streamed lines. Pure translation.

Sources: github.com/ollama/ollama docs/api.md, docs.ollama.com/api (2026-11).
"""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from flyllm.errors import InvalidRequestError, ParseError
from flyllm.providers.base import ApiSpec, Completion, Delta, ProviderRequest, ToolCallDelta
from flyllm.providers.body_params import body_params
from flyllm.providers.call_ids import invented_id
from flyllm.providers.chat_turns import BETWEEN
from flyllm.providers.failures import in_band_error, request_id
from flyllm.providers.messages import call_arguments, calls, data_url, function_name, image_url, parts, response_schema
from flyllm.providers.params import as_list
from flyllm.providers.payload import count, decode, dicts, mapping, text_of, usage
from flyllm.providers.streaming import unfinished
from flyllm.types import FinishReason, TokenUsage, ToolCall

FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
"""The others, "load" and "unload", are said of a model where nothing was asked."""

_TOP_LEVEL = ("think", "format", "keep_alive", "logprobs", "top_logprobs")


def body(request: ProviderRequest, api: ApiSpec) -> dict[str, Any]:
    """Return the body of a call, without what says whether it streams.

    Of the parameters `think`, `format`, `keep_alive`, `logprobs` and `top_logprobs` stand beside the messages; the
    common ones and all others are options of the model, as is what a parameter `options` holds.
    """
    params = body_params(request, api)
    built: dict[str, Any] = {"model": request.model, "messages": _messages(request.messages)}
    built |= {name: params.pop(name) for name in _TOP_LEVEL if name in params}
    options = {**params.pop("options", {}), **params}
    if "stop" in options:
        options["stop"] = as_list(options["stop"])
    if options:
        built["options"] = options
    if request.tools:
        built |= _tools(request.tools, request.tool_choice)
    if request.response_format is not None:
        built |= _format(request.response_format)
    return built


def _messages(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names: dict[Any, str] = {}
    built = []
    for message in messages:
        names |= {call.get("id"): function_name(call) for call in calls(message)}
        built.append(_message(message, names))
    return built


def _message(message: Mapping[str, Any], names: Mapping[Any, str]) -> dict[str, Any]:
    """Return one message. `names` are the functions called so far by the ids of their calls."""
    role = message.get("role")
    content = parts(message.get("content"))
    built: dict[str, Any] = {
        "role": "system" if role == "developer" else role,
        "content": ("" if role == "assistant" else BETWEEN).join(
            text for part in content if (text := text_of(part.get("text")))
        ),
    }
    if images := [_image(part) for part in content if part.get("type") == "image_url"]:
        built["images"] = images
    if text_of(message.get("thinking")):
        built["thinking"] = message["thinking"]
    if calls(message):
        built["tool_calls"] = [
            {"function": {"name": function_name(call), "arguments": call_arguments(call)}} for call in calls(message)
        ]
    name = names.get(message.get("tool_call_id")) or message.get("tool_name") or message.get("name")
    if role == "tool" and name:
        built["tool_name"] = name
    return built


def _image(part: Mapping[str, Any]) -> str:
    data = data_url(image_url(part))
    if data is None:
        raise InvalidRequestError("Ollama fetches no images: give them as data: URLs")
    try:
        b64decode(data[1], validate=True)
    except ValueError:
        raise InvalidRequestError("an image's data: URL is not valid base64") from None
    return data[1]


def _tools(tools: Sequence[Mapping[str, Any]], choice: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the tools to choose from: Ollama has no tool_choice and cannot be made to call one ("required")."""
    if choice == "none":
        return {}
    named = function_name(choice) if isinstance(choice, Mapping) else ""
    return {"tools": [_tool(tool) for tool in tools if not named or function_name(tool) == named]}


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = dict(mapping(tool.get("function")))
    function.setdefault("parameters", {"type": "object", "properties": {}})
    return {**tool, "function": function}


def _format(given: Mapping[str, Any]) -> dict[str, Any]:
    if given.get("type") == "json_object":
        return {"format": "json"}
    schema = response_schema(given)
    return {} if schema is None else {"format": schema}


def read(data: Mapping[str, Any], headers: Mapping[str, str]) -> Completion:
    """Return the answer in a reply; raise `ParseError` where there is none."""
    message = data.get("message")
    if not isinstance(message, dict):
        raise ParseError("the answer has no message", request_id=request_id(headers))
    called = _tool_calls(message)
    return Completion(
        content=text_of(message.get("content")),
        finish_reason=_finish(data.get("done_reason"), called=bool(called)),
        usage=_usage(data),
        model=text_of(data.get("model")) or None,
        reasoning=text_of(message.get("thinking")) or None,
        tool_calls=tuple(called),
        request_id=request_id(headers),
        headers=headers,
        raw=data,
    )


def lines_reader(
    drained: Callable[[Iterator[bytes]], None],
) -> Callable[[Iterator[bytes]], Iterator[Delta]]:
    """Return a reader of streamed lines; `drained` is called with what follows the end."""

    def read_lines(source: Iterator[bytes]) -> Iterator[Delta]:
        called = 0
        for line in source:
            if not line.strip():
                continue
            data = decode(line)
            if data.get("error"):
                raise in_band_error(data, {})
            delta = _read_line(data, called)
            called += len(delta.tool_calls)
            yield delta
            if data.get("done") is True:
                drained(source)
                return
        raise unfinished('a line with "done": true')

    return read_lines


def _read_line(data: Mapping[str, Any], called: int) -> Delta:
    message = mapping(data.get("message"))
    found = _tool_calls(message) if "tool_calls" in message else []
    done = data.get("done") is True
    return Delta(
        content=text_of(message.get("content")),
        reasoning=text_of(message.get("thinking")),
        tool_calls=tuple(ToolCallDelta(n, c.id, c.name, c.arguments) for n, c in enumerate(found, called)),
        finish_reason=_finish(data.get("done_reason"), called=bool(called or found)) if done else None,
        usage=_usage(data) if done else None,
        model=text_of(data.get("model")) or None,
        raw=data if done else None,
    )


def _tool_calls(message: Mapping[str, Any]) -> list[ToolCall]:
    """Return the calls in a message; servers before 0.12 give them no ids."""
    found = []
    for call in dicts(message.get("tool_calls")):
        given = mapping(call.get("function")).get("arguments")
        arguments = given if isinstance(given, str) else json.dumps(given or {}, ensure_ascii=False)
        found.append(ToolCall(text_of(call.get("id")) or invented_id(), function_name(call), arguments))
    return found


def _finish(word: Any, *, called: bool) -> FinishReason | None:
    """Return our word for a `done_reason`, which is "stop" also where tools are called."""
    if not isinstance(word, str) or not word:
        return "tool_calls" if called else None
    reason = FINISH.get(word, "other")
    return "tool_calls" if called and reason == "stop" else reason


def _usage(data: Mapping[str, Any]) -> TokenUsage:
    return usage(prompt=count(data, "prompt_eval_count"), completion=count(data, "eval_count"))
