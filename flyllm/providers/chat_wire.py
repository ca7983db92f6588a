"""The chat-completions wire: bodies, answers and stream chunks, as OpenAI defined and many others serve them."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from flyllm.errors import ParseError
from flyllm.providers.base import ApiSpec, Completion, Delta, ProviderRequest, ToolCallDelta
from flyllm.providers.body_params import body_params
from flyllm.providers.call_ids import invented_id
from flyllm.providers.chat_history import sent
from flyllm.providers.chat_rules import rules_of
from flyllm.providers.chat_turns import fitted
from flyllm.providers.failures import in_band_error, request_id
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


def body(request: ProviderRequest, api: ApiSpec, provider: str = "") -> dict[str, Any]:
    """Return the body of a call at `provider`."""
    messages = [sent(message, provider) for message in fitted(request.messages, rules_of(provider))]
    built: dict[str, Any] = {"model": request.model, "messages": messages}
    built.update(body_params(request, api))
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
        tool_calls=tuple(_whole_call(call) for call in _calls(message)),
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
        chunks = ChunkReader()
        for event in source:
            if event.data.startswith("[DONE]"):
                finished = True
                drained(source)
                break
            if not event.data:
                continue
            delta = chunks.read(decode(event.data), event.name)
            finished = finished or delta.finish_reason is not None
            yield delta
        if not finished:
            raise unfinished("[DONE] or a finish reason")

    return read_events


class ChunkReader:
    """Reads the chunks of one stream, which only together tell which answer, tool call or refusal they belong to."""

    def __init__(self) -> None:
        self._answer: int | None = None
        self._refused = False
        self._slots: dict[int, int] = {}
        self._calls: list[ToolCall] = []

    def read(self, data: Mapping[str, Any], event: str = "") -> Delta:
        """Return what one chunk adds; raise the error that stands in it."""
        groq = mapping(data.get("x_groq"))
        error = data.get("error") or groq.get("error")
        if error or event == "error" or data.get("object") == "error":  # the last is Mistral's
            raise in_band_error({"error": error} if error else data, {})
        choice = self._choice(dicts(data.get("choices")))
        piece = mapping(choice.get("delta"))
        content, reasoning = split_content(piece)
        refusal = text_of(piece.get("refusal"))
        self._refused = self._refused or bool(refusal)
        reason = choice.get("finish_reason")
        counted = data.get("usage") or groq.get("usage")
        return Delta(
            content=content or refusal,
            reasoning=reasoning,
            tool_calls=self._tool_deltas(_calls(piece), ended=bool(reason)),
            finish_reason=finish(reason, refused=self._refused) if reason else None,
            usage=read_usage(counted) if isinstance(counted, dict) else None,
            model=text_of(data.get("model")) or None,
            raw=data if reason or "annotations" in piece or isinstance(piece.get("content"), list) else None,
        )

    def _choice(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        if self._answer is None and choices:
            self._answer = _index(_first(choices) or {})
        return next((choice for choice in choices if _index(choice) == self._answer), {})

    def _tool_deltas(self, calls: list[dict[str, Any]], *, ended: bool) -> tuple[ToolCallDelta, ...]:
        if not calls and not (ended and self._calls):
            return ()
        found = [self._tool_delta(call, position) for position, call in enumerate(calls)]
        if ended:  # a call without any arguments has none: {} is how that is written
            silent = (slot for slot, call in enumerate(self._calls) if not call.arguments)
            found += [ToolCallDelta(slot, arguments="{}") for slot in silent]
        return tuple(found)

    def _tool_delta(self, call: Mapping[str, Any], position: int) -> ToolCallDelta:
        part = _tool_call(call)
        wire = call.get("index")
        slot = self._slot(wire if isinstance(wire, int) else position, part)
        known = self._calls[slot]
        call_id = known.id or part.id or invented_id()  # which its first fragment has
        # Some repeat id and name in every fragment.
        self._calls[slot] = ToolCall(call_id, known.name or part.name, known.arguments or part.arguments)
        fresh = "" if known.id else call_id
        return ToolCallDelta(slot, fresh, "" if known.name else part.name, part.arguments, part.extra_content)

    def _slot(self, wire: int, part: ToolCall) -> int:
        slot = self._slots.get(wire)
        # Google numbers parallel calls all 0; another id with another name begins another call.
        another = slot is not None and part.id and part.name and part.id != self._calls[slot].id
        if slot is None or another:
            slot = self._slots[wire] = len(self._calls)
            self._calls.append(ToolCall("", "", ""))
        return slot


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
        reasoning=_reasoning(data),
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


def _reasoning(data: Any) -> int | None:
    told = count(data, "completion_tokens_details", "reasoning_tokens")
    return count(data, "reasoning_tokens") if told is None else told  # Perplexity


def _cached(data: Any) -> int | None:
    for path in (
        ("prompt_tokens_details", "cached_tokens"),
        ("prompt_cache_hit_tokens",),
        ("num_cached_tokens",),  # Mistral
        ("cached_tokens",),
    ):
        found = count(data, *path)
        if found is not None:
            return found
    return None


def _first(choices: list[dict[str, Any]]) -> dict[str, Any] | None:
    # With n > 1 only the first answer is read; choices may come in any order.
    return min(choices, key=_index) if choices else None


def _calls(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    return dicts(message.get("tool_calls"))


def _index(choice: Mapping[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = mapping(call.get("function"))
    arguments = function.get("arguments")
    if isinstance(arguments, dict):  # as Ollama's own API has them; some gateways hand them on
        arguments = json.dumps(arguments)
    extra = mapping(call.get("extra_content")) or None
    return ToolCall(text_of(call.get("id")), text_of(function.get("name")), text_of(arguments), extra)


def _whole_call(call: Mapping[str, Any]) -> ToolCall:
    found = _tool_call(call)
    return replace(found, id=found.id or invented_id(), arguments=found.arguments or "{}")
