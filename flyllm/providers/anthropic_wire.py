"""Anthropic's Messages wire: answers and stream events. Requests are made in `anthropic_body`.

Blocks of tools that Anthropic runs itself (server_tool_use, web_search_tool_result, ...) are no tool calls for the
caller and are skipped, as is every block and event of a type unknown here; they remain in `raw`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flyllm.errors import ParseError
from flyllm.providers.base import QUIET, Completion, Delta, ToolCallDelta
from flyllm.providers.failures import in_band_error, request_id
from flyllm.providers.payload import count, decode, dicts, mapping, text_of, usage
from flyllm.providers.sse import ServerEvent
from flyllm.providers.streaming import EventReader, unfinished
from flyllm.types import FinishReason, TokenUsage, ToolCall

FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def read(data: Mapping[str, Any], headers: Mapping[str, str]) -> Completion:
    """Return the answer in a reply; raise `ParseError` where there is none."""
    if not isinstance(data.get("content"), list):
        raise ParseError("the answer has no content", request_id=request_id(headers))
    blocks = dicts(data["content"])
    return Completion(
        content=_joined(blocks, "text"),
        finish_reason=finish(data.get("stop_reason")),
        usage=read_usage(mapping(data.get("usage"))),
        model=text_of(data.get("model")) or None,
        reasoning=_joined(blocks, "thinking") or None,
        tool_calls=tuple(_tool_call(block) for block in blocks if block.get("type") == "tool_use"),
        request_id=request_id(headers) or text_of(data.get("id")) or None,
        headers=headers,
        extra_content=thinking_back(blocks),
        raw=data,
    )


def thinking_back(blocks: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the thinking that must come back with the results of the calls in `blocks`; None where none are made.

    Without it, or changed, such a conversation is refused while thinking is on
    (docs.claude.com/en/docs/build-with-claude/extended-thinking#extended-thinking-with-tool-use).
    """
    thought = [block for block in blocks if block.get("type") in ("thinking", "redacted_thinking")]
    called = any(block.get("type") == "tool_use" for block in blocks)
    return {"anthropic": {"thinking": thought}} if thought and called else None


def finish(word: Any) -> FinishReason | None:
    """Return our word for a stop reason; None stays None."""
    return FINISH.get(word, "other") if isinstance(word, str) and word else None


def read_usage(data: Mapping[str, Any]) -> TokenUsage:
    """Return the tokens of a `usage` object; its `input_tokens` are without those read from a cache or put there."""
    fresh, cached = count(data, "input_tokens"), count(data, "cache_read_input_tokens")
    written = count(data, "cache_creation_input_tokens")
    return usage(
        prompt=None if fresh is None else fresh + (cached or 0) + (written or 0),
        completion=count(data, "output_tokens"),
        cached=cached,
        reasoning=count(data, "output_tokens_details", "thinking_tokens"),
    )


def events_reader(drained: Callable[[Iterator[ServerEvent]], None]) -> EventReader:
    """Return a reader of streamed events; `drained` is called with what follows the end."""

    def read_events(source: Iterator[ServerEvent]) -> Iterator[Delta]:
        message = MessageReader()
        for event in source:
            if not event.data:
                continue
            data = decode(event.data)
            kind = data.get("type")
            if kind == "message_stop":
                drained(source)
                return
            delta = message.read(data)
            if delta is not None:
                yield delta
            elif kind != "ping":
                yield QUIET
        if not message.stopped:
            raise unfinished("message_stop or a stop reason")

    return read_events


class MessageReader:
    """Reads the events of one streamed message. `stopped` once its stop reason was seen."""

    def __init__(self) -> None:
        self.stopped = False
        self._usage: dict[str, Any] = {}
        self._calls: dict[Any, _OpenCall] = {}  # by the index of their block
        self._thoughts: dict[Any, dict[str, Any]] = {}  # likewise

    def read(self, data: Mapping[str, Any]) -> Delta | None:
        """Return what one event adds, None if nothing; raise the error that it brings."""
        match data.get("type"):
            case "content_block_delta":
                piece = mapping(data.get("delta"))
                return Delta(raw=data) if "citation" in piece else self._piece(data.get("index"), piece)
            case "content_block_start":
                block = mapping(data.get("content_block"))
                return Delta(raw=data) if "content" in block else self._begin(data.get("index"), block)
            case "content_block_stop":
                return self._end(data.get("index"))
            case "message_start":
                message = mapping(data.get("message"))
                return Delta(usage=self._count(message.get("usage")), model=text_of(message.get("model")) or None)
            case "message_delta":
                reason = finish(mapping(data.get("delta")).get("stop_reason"))
                self.stopped = self.stopped or reason is not None
                counted = self._count(data.get("usage"))
                return Delta(finish_reason=reason, usage=counted, extra_content=self._back(), raw=data)
            case "error":
                raise in_band_error(data, {})
        return None

    def _count(self, reported: Any) -> TokenUsage | None:
        # Counts are totals so far; an event repeats only some of them.
        self._usage.update({name: value for name, value in mapping(reported).items() if value is not None})
        return read_usage(self._usage) if self._usage else None

    def _back(self) -> dict[str, Any] | None:
        calls = [{"type": "tool_use"}] if self._calls else []
        return thinking_back([*self._thoughts.values(), *calls]) if self._thoughts else None

    def _begin(self, index: Any, block: Mapping[str, Any]) -> Delta | None:
        if block.get("type") in ("thinking", "redacted_thinking"):
            self._thoughts[index] = dict(block)
        match block.get("type"):
            case "tool_use":
                call = self._calls[index] = _OpenCall(len(self._calls), block.get("input"))
                return call.delta(text_of(block.get("id")), text_of(block.get("name")))
            case "text" if text := text_of(block.get("text")):
                return Delta(content=text)
            case "thinking" if thought := text_of(block.get("thinking")):
                return Delta(reasoning=thought)
        return None

    def _piece(self, index: Any, delta: Mapping[str, Any]) -> Delta | None:
        match delta.get("type"):
            case "text_delta":
                return Delta(text_of(delta.get("text")))
            case "thinking_delta" | "signature_delta":
                return self._think(index, delta)
            case "input_json_delta" if index in self._calls and (text := text_of(delta.get("partial_json"))):
                return self._calls[index].add(text)
        return None

    def _think(self, index: Any, delta: Mapping[str, Any]) -> Delta | None:
        thought = self._thoughts.setdefault(index, {"type": "thinking", "thinking": "", "signature": ""})
        for name in ("thinking", "signature"):
            thought[name] = text_of(thought.get(name)) + text_of(delta.get(name))
        return Delta(reasoning=text_of(delta.get("thinking"))) if "thinking" in delta else None

    def _end(self, index: Any) -> Delta | None:
        call = self._calls.get(index)
        return None if call is None or call.begun else call.add(json.dumps(call.whole, ensure_ascii=False))


class _OpenCall:
    """A tool call whose arguments come in pieces, or whole with its first event, or not at all if it has none."""

    def __init__(self, number: int, whole: Any) -> None:
        self.number, self.whole, self.begun = number, mapping(whole), False

    def delta(self, call_id: str = "", name: str = "", arguments: str = "") -> Delta:
        return Delta(tool_calls=(ToolCallDelta(self.number, call_id, name, arguments),))

    def add(self, arguments: str) -> Delta:
        self.begun = True
        return self.delta(arguments=arguments)


def _joined(blocks: list[dict[str, Any]], kind: str) -> str:
    """Return the texts of all blocks of one kind; each keeps its text under the name of its kind."""
    return "".join(text_of(block.get(kind)) for block in blocks if block.get("type") == kind)


def _tool_call(block: Mapping[str, Any]) -> ToolCall:
    arguments = json.dumps(block.get("input") or {}, ensure_ascii=False)
    return ToolCall(text_of(block.get("id")), text_of(block.get("name")), arguments)
