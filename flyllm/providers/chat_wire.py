"""The chat-completions wire: bodies, answers and stream chunks, as OpenAI defined and many others serve them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flyllm.errors import ParseError
from flyllm.providers.base import ApiSpec, Completion, Delta, ProviderRequest, ToolCallDelta
from flyllm.providers.failures import in_band_error, request_id
from flyllm.providers.params import wire_params
from flyllm.providers.payload import count, decode, dicts, mapping, text_of, usage
from flyllm.providers.sse import ServerEvent
from flyllm.providers.streaming import unfinished
from flyllm.types import FinishReason, TokenUsage, ToolCall

FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",  # Together
    "length": "length",
    "model_length": "length",  # Mistral
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
    "insufficient_system_resource": "error",  # DeepSeek
}


def body(request: ProviderRequest, api: ApiSpec) -> dict[str, Any]:
    """Return the body of a call."""
    built: dict[str, Any] = {"model": request.model, "messages": list(request.messages)}
    built.update(wire_params(request.params, api.params))
    for name in ("tools", "tool_choice", "response_format"):
        value = getattr(request, name)
        if value is not None:
            built[name] = value
    return built


def read(data: Mapping[str, Any], headers: Mapping[str, str]) -> Completion:
    """Return the answer in a reply; raise `ParseError` where there is none."""
    choice = _first(dicts(data.get("choices")))
    message = choice.get("message") if choice else None
    if not choice or not isinstance(message, dict):
        raise ParseError("the answer has no choices", request_id=request_id(headers))
    content, reasoning = split_content(message)
    return Completion(
        content=content or text_of(message.get("refusal")),
        finish_reason=finish(choice.get("finish_reason"), refused=bool(message.get("refusal"))),
        usage=read_usage(data.get("usage")),
        model=text_of(data.get("model")) or None,
        reasoning=reasoning or None,
        tool_calls=tuple(_tool_call(call) for call in _calls(message)),
        request_id=request_id(headers) or text_of(data.get("id")) or None,
        headers=headers,
        raw=data,
    )


def events_reader(
    drained: Callable[[Iterator[ServerEvent]], None],
) -> Callable[[Iterator[ServerEvent]], Iterator[Delta]]:
    """Return a reader of streamed chunks; `drained` is called with what follows the end."""

    def read_events(source: Iterator[ServerEvent]) -> Iterator[Delta]:
        finished = False
        for event in source:
            if event.data.startswith("[DONE]"):
                finished = True
                drained(source)
                break
            delta = read_chunk(decode(event.data), event.name)
            finished = finished or delta.finish_reason is not None
            yield delta
        if not finished:
            raise unfinished("[DONE] or a finish reason")

    return read_events


def read_chunk(data: Mapping[str, Any], event: str = "") -> Delta:
    """Return what one chunk adds; raise the error that stands in it."""
    error = data.get("error") or _path(data, "x_groq", "error")
    if error or event == "error":
        raise in_band_error({"error": error} if isinstance(error, dict) else data, {})
    choice = _first(dicts(data.get("choices"))) or {}
    piece = mapping(choice.get("delta"))
    content, reasoning = split_content(piece)
    counted = data.get("usage") or _path(data, "x_groq", "usage")
    return Delta(
        content=content or text_of(piece.get("refusal")),
        reasoning=reasoning,
        tool_calls=tuple(_tool_delta(call, n) for n, call in enumerate(_calls(piece))),
        finish_reason=finish(choice.get("finish_reason"), refused=False),
        usage=read_usage(counted) if isinstance(counted, dict) else None,
        model=text_of(data.get("model")) or None,
    )


def finish(word: Any, *, refused: bool) -> FinishReason | None:
    """Return our word for a provider's finish reason; None stays None."""
    if refused:
        return "content_filter"
    return None if not isinstance(word, str) or not word else FINISH.get(word, "other")


def read_usage(data: Any) -> TokenUsage:
    """Return the tokens of a `usage` object, also of gateways that leave parts out."""
    return usage(
        prompt=count(data, "prompt_tokens"),
        completion=count(data, "completion_tokens"),
        total=count(data, "total_tokens"),
        cached=_cached(data),
        reasoning=count(data, "completion_tokens_details", "reasoning_tokens"),
    )


def split_content(message: Mapping[str, Any]) -> tuple[str, str]:
    """Return text and reasoning of a message or delta, whose content may be text or a list of parts."""
    reasoning = text_of(message.get("reasoning_content")) or text_of(message.get("reasoning"))
    content = message.get("content")
    if isinstance(content, str):
        return content, reasoning
    text = ""
    for part in dicts(content):
        if part.get("type") == "thinking":  # Mistral's reasoning models: thinking is a list of text parts
            thought = part.get("thinking")
            reasoning += (
                thought if isinstance(thought, str) else "".join(text_of(p.get("text")) for p in dicts(thought))
            )
        else:
            text += text_of(part.get("text"))
    return text, reasoning


def _cached(data: Any) -> int | None:
    for path in (
        ("prompt_tokens_details", "cached_tokens"),
        ("prompt_cache_hit_tokens",),
        ("cached_tokens",),
    ):
        found = count(data, *path)
        if found is not None:
            return found
    return None


def _first(choices: list[dict[str, Any]]) -> dict[str, Any] | None:
    # With n > 1 only the first answer is read; choices may come in any order.
    return min(choices, key=lambda choice: choice.get("index") or 0) if choices else None


def _calls(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    return dicts(message.get("tool_calls"))


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = mapping(call.get("function"))
    return ToolCall(text_of(call.get("id")), text_of(function.get("name")), text_of(function.get("arguments")))


def _tool_delta(call: Mapping[str, Any], position: int) -> ToolCallDelta:
    parts = _tool_call(call)
    index = call.get("index")
    return ToolCallDelta(index if isinstance(index, int) else position, parts.id, parts.name, parts.arguments)


def _path(data: Mapping[str, Any], outer: str, inner: str) -> Any:
    return mapping(data.get(outer)).get(inner)
