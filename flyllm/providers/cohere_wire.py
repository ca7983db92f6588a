"""Cohere's chat API v2: bodies, answers and streamed events. Pure translation.

Sources: docs.cohere.com/reference/chat, docs.cohere.com/v2/docs/streaming (2026-11).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from flyllm.errors import ParseError
from flyllm.providers.base import ApiSpec, Completion, Delta, ProviderRequest, ToolCallDelta
from flyllm.providers.body_params import body_params
from flyllm.providers.chat_turns import results_apart, says_nothing
from flyllm.providers.failures import in_band_error, request_id
from flyllm.providers.messages import calls, function_name, image_url, parts, response_schema
from flyllm.providers.params import as_list
from flyllm.providers.payload import count, decode, dicts, mapping, text_of, usage
from flyllm.providers.sse import ServerEvent
from flyllm.providers.streaming import unfinished
from flyllm.types import FinishReason, TokenUsage, ToolCall

FINISH: dict[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR": "error",
    "TIMEOUT": "error",
}
_TOOL_CHOICE = {"none": "NONE", "required": "REQUIRED", "any": "REQUIRED"}


def body(request: ProviderRequest, api: ApiSpec) -> dict[str, Any]:
    """Return the body of a call, without what says whether it streams."""
    built: dict[str, Any] = {"model": request.model, "messages": _messages(request.messages)}
    built |= body_params(request, api)
    if "stop_sequences" in built:
        built["stop_sequences"] = as_list(built["stop_sequences"])
    if request.tools:
        built |= _tools(request.tools, request.tool_choice)
    if request.response_format is not None:
        built["response_format"] = _response_format(request.response_format)
    return built


def _messages(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    # "message must not be empty in a turn"; of a result, which says something by being empty, that is its JSON.
    told = (message for message in messages if message.get("role") == "tool" or not says_nothing(message))
    return [_message(message) for message in results_apart(told)]


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    # Cohere refuses empty content and fields it does not know; `name` is one of the chat-completions shape.
    built = {
        field: value for field, value in message.items() if value is not None and field not in ("name", "extra_content")
    }
    if built.get("role") == "developer":
        built["role"] = "system"
    if calls(message):
        built["tool_calls"] = [_history_call(call) for call in calls(message)]
    content = built.get("content")
    if isinstance(content, Sequence) and not isinstance(content, str):
        built["content"] = [_part(part) for part in parts(content)]
    if not built.get("content") and built.get("role") == "assistant":
        built.pop("content", None)
    if not built.get("content") and built.get("role") == "tool":
        built["content"] = '""'
    return built


def _part(part: Mapping[str, Any]) -> Mapping[str, Any]:
    if part.get("type") != "image_url":
        return part
    return {**part, "image_url": {**mapping(part.get("image_url")), "url": image_url(part)}}


def _history_call(call: Mapping[str, Any]) -> dict[str, Any]:
    arguments = mapping(call.get("function")).get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    function = {"name": function_name(call), "arguments": text or "{}"}
    return {"id": call.get("id") or "", "type": "function", "function": function}


def _tools(tools: Sequence[Mapping[str, Any]], choice: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return tools and choice. Cohere cannot name the tool to be called: it is then given no other one."""
    named = function_name(choice) if isinstance(choice, Mapping) else ""
    wanted = [tool for tool in tools if not named or function_name(tool) == named]
    built: dict[str, Any] = {"tools": [_tool(tool) for tool in wanted]}
    if any(mapping(tool.get("function")).get("strict") for tool in wanted):
        built["strict_tools"] = True
    if isinstance(choice, str):
        word = _TOOL_CHOICE.get(choice.lower())
        return built if choice.lower() == "auto" else {**built, "tool_choice": word or choice}
    return {**built, "tool_choice": "REQUIRED"} if named else built


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    # Strictness is said once for all tools there, and parameters are not optional.
    function = {field: value for field, value in mapping(tool.get("function")).items() if field != "strict"}
    function.setdefault("parameters", {"type": "object", "properties": {}})
    return {**tool, "function": function}


def _response_format(given: Mapping[str, Any]) -> Mapping[str, Any]:
    if given.get("type") != "json_schema":
        return given
    return {"type": "json_object", "json_schema": response_schema(given)}


def read(data: Mapping[str, Any], headers: Mapping[str, str]) -> Completion:
    """Return the answer in a reply; raise `ParseError` where there is none."""
    message = data.get("message")
    if not isinstance(message, dict):
        raise ParseError("the answer has no message", request_id=request_id(headers))
    contents = dicts(message.get("content"))
    thoughts = [text_of(message.get("tool_plan")), *(text_of(part.get("thinking")) for part in contents)]
    return Completion(
        content=text_of(message.get("content")) or "".join(text_of(part.get("text")) for part in contents),
        finish_reason=_finish(data.get("finish_reason")),
        usage=read_usage(data.get("usage")),
        reasoning="".join(thoughts) or None,
        tool_calls=tuple(_whole_call(call) for call in dicts(message.get("tool_calls"))),
        request_id=request_id(headers) or text_of(data.get("id")) or None,
        headers=headers,
        raw=data,
    )


def events_reader(
    drained: Callable[[Iterator[ServerEvent]], None],
) -> Callable[[Iterator[ServerEvent]], Iterator[Delta]]:
    """Return a reader of streamed events; `drained` is called with what follows the end."""

    def read_events(source: Iterator[ServerEvent]) -> Iterator[Delta]:
        silent: set[int] = set()
        for event in source:
            if event.data.startswith("[DONE]"):
                break
            if not event.data:
                continue
            data = decode(event.data)
            kind = data.get("type") or event.name
            delta = _read_event(data, kind)
            yield _completed(delta, silent, ended=kind == "tool-call-end", index=_index(data))
            if kind == "message-end":
                drained(source)
                return
        raise unfinished("message-end")

    return read_events


def _read_event(data: Mapping[str, Any], kind: str) -> Delta:
    delta = mapping(data.get("delta"))
    failed = data.get("error") or delta.get("error")
    if failed or kind == "error" or isinstance(data.get("message"), str):
        raise in_band_error({"error": failed} if failed else data, {})
    message = mapping(delta.get("message"))
    content = mapping(message.get("content"))
    counted = delta.get("usage")
    return Delta(
        content=text_of(content.get("text")),
        reasoning=text_of(content.get("thinking")) or text_of(message.get("tool_plan")),
        tool_calls=_tool_deltas(message.get("tool_calls"), _index(data)),
        finish_reason=_finish(delta.get("finish_reason")),
        usage=read_usage(counted) if isinstance(counted, dict) else None,
        raw=data if kind in ("citation-start", "message-end") else None,
    )


def _tool_deltas(given: Any, index: int) -> tuple[ToolCallDelta, ...]:
    # One call as an object; message-start has an empty list of them.
    if not isinstance(given, dict):
        return ()
    call = _tool_call(given)
    return (ToolCallDelta(index, call.id, call.name, call.arguments),)


def _completed(delta: Delta, silent: set[int], *, ended: bool, index: int) -> Delta:
    """Write `{}` for a call that ended without any arguments: `silent` are those that had none so far."""
    for call in delta.tool_calls:
        if call.arguments:
            silent.discard(call.index)
        elif call.id or call.name:
            silent.add(call.index)
    if ended and index in silent:
        silent.remove(index)
        return Delta(tool_calls=(ToolCallDelta(index, arguments="{}"),))
    return delta


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = mapping(call.get("function"))
    return ToolCall(text_of(call.get("id")), text_of(function.get("name")), text_of(function.get("arguments")))


def _whole_call(call: Mapping[str, Any]) -> ToolCall:
    found = _tool_call(call)
    return found if found.arguments else ToolCall(found.id, found.name, "{}")


def _finish(word: Any) -> FinishReason | None:
    return None if not isinstance(word, str) or not word else FINISH.get(word.upper(), "other")


def read_usage(data: Any) -> TokenUsage:
    """Return the tokens of a `usage` object: those processed, not the fewer ones billed."""
    return usage(
        prompt=count(data, "tokens", "input_tokens"),
        completion=count(data, "tokens", "output_tokens"),
        cached=count(data, "cached_tokens"),
    )


def _index(data: Mapping[str, Any]) -> int:
    index = data.get("index")
    return index if isinstance(index, int) else 0
