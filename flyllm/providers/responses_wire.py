"""Answers and stream events of the Responses API, as OpenAI defined it and Perplexity's Agent API speaks it.

Sources: platform.openai.com/docs/api-reference/responses and -streaming;
github.com/perplexityai/api-platform-developers, skills/migrate-sonar-to-agent-api (2026-11).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from flyllm.errors import APIError, InvalidRequestError, ParseError
from flyllm.providers.base import QUIET, Completion, Delta, ToolCallDelta
from flyllm.providers.failures import in_band_error, request_id
from flyllm.providers.payload import count, decode, dicts, mapping, text_of, usage
from flyllm.providers.sse import ServerEvent
from flyllm.providers.streaming import unfinished
from flyllm.types import FinishReason, TokenUsage, ToolCall

INCOMPLETE: dict[str, FinishReason] = {"max_output_tokens": "length", "content_filter": "content_filter"}
_FAILED = ("failed", "cancelled")
_TERMINAL = tuple(f"response.{status}" for status in ("completed", "incomplete", *_FAILED))
_REASONING = ("response.reasoning_text.delta", "response.reasoning_summary_text.delta")
_CALLS = ("function_call", "custom_tool_call")


class Output(NamedTuple):
    """What the output items of an answer come to; a refusal is its text."""

    text: str
    reasoning: str
    calls: tuple[ToolCall, ...]
    refused: bool


def read(data: Mapping[str, Any], headers: Mapping[str, str]) -> Completion:
    """Return the answer in a reply; raise the error of a failed one, and `ParseError` where there is neither."""
    _raise_for_status(data, headers)
    if not isinstance(data.get("output"), list):
        raise ParseError("the answer has no output", request_id=request_id(headers))
    output = read_output(data["output"])
    return Completion(
        content=output.text,
        finish_reason=finish(data, output),
        usage=read_usage(data.get("usage")),
        model=text_of(data.get("model")) or None,
        reasoning=output.reasoning or None,
        tool_calls=output.calls,
        request_id=request_id(headers) or text_of(data.get("id")) or None,
        headers=headers,
        raw=data,
    )


def read_output(items: Any) -> Output:
    """Return what output items say; items other than messages, reasoning and calls stay in `raw`."""
    text: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    refused = False
    for item in dicts(items):
        kind = item.get("type")
        if kind == "message":
            for part in dicts(item.get("content")):
                text.append(text_of(part.get("text")) or text_of(part.get("refusal")))
                refused = refused or part.get("type") == "refusal"
        elif kind == "reasoning":
            parts = dicts(item.get("summary")) + dicts(item.get("content"))
            thoughts += [text_of(part.get("text")) for part in parts]
        elif _is_call(item):
            calls.append(_call(item))
    return Output("".join(text), "\n\n".join(filter(None, thoughts)), tuple(calls), refused)


def finish(data: Mapping[str, Any], output: Output) -> FinishReason:
    """Return why an answer that has not failed ended; this API has no word for tool calls or refusals."""
    if data.get("status") == "incomplete":
        return INCOMPLETE.get(text_of(mapping(data.get("incomplete_details")).get("reason")), "other")
    if output.refused:
        return "content_filter"
    return "tool_calls" if output.calls else "stop"


def read_usage(data: Any) -> TokenUsage:
    """Return the tokens of a `usage` object."""
    return usage(
        prompt=count(data, "input_tokens"),
        completion=count(data, "output_tokens"),
        total=count(data, "total_tokens"),
        cached=count(data, "input_tokens_details", "cached_tokens"),
        reasoning=count(data, "output_tokens_details", "reasoning_tokens"),
    )


def events_reader(
    drained: Callable[[Iterator[ServerEvent]], None],
) -> Callable[[Iterator[ServerEvent]], Iterator[Delta]]:
    """Return a reader of streamed events; `drained` is called with what follows the terminal one."""

    def read_events(source: Iterator[ServerEvent]) -> Iterator[Delta]:
        answer = StreamedAnswer()
        for event in source:
            if not event.data or event.data.startswith("[DONE]"):
                continue
            yield answer.read(decode(event.data), event.name) or QUIET
            if answer.ended:
                drained(source)
                return
        raise unfinished("a terminal event")

    return read_events


class StreamedAnswer:
    """What a stream has said so far, so that its terminal event adds what is missing and nothing twice."""

    def __init__(self) -> None:
        self.ended = False
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._thought: Any = None
        self._calls: list[ToolCall] = []
        self._refused = False

    def read(self, data: Mapping[str, Any], name: str = "") -> Delta | None:
        """Return what one event adds, None for one that adds nothing; raise the error that stands in it."""
        kind = data.get("type") or name
        if kind == "response.output_text.delta":
            return self._said(data)
        if kind in _REASONING:
            return self._thinks(data)
        if kind == "response.refusal.delta":
            self._refused = True
            return self._said(data)
        if kind == "response.output_item.done":
            item = mapping(data.get("item"))
            if _is_call(item):
                self._calls.append(_call(item))
        elif kind in _TERMINAL:
            return self._ends(kind.removeprefix("response."), mapping(data.get("response")))
        elif kind == "error" or data.get("error"):
            raise in_band_error(data, {})
        return None

    def _said(self, data: Mapping[str, Any]) -> Delta:
        piece = text_of(data.get("delta"))
        self._text.append(piece)
        return Delta(content=piece)

    def _thinks(self, data: Mapping[str, Any]) -> Delta:
        thought = (data.get("item_id"), data.get("summary_index"), data.get("content_index"))
        apart = "\n\n" if self._reasoning and thought != self._thought else ""
        self._thought = thought
        piece = apart + text_of(data.get("delta"))
        self._reasoning.append(piece)
        return Delta(reasoning=piece)

    def _ends(self, status: str, response: Mapping[str, Any]) -> Delta:
        if response.get("status") not in ("incomplete", *_FAILED):
            response = {**response, "status": status}
        _raise_for_status(response, {})
        self.ended = True
        whole = read_output(response.get("output"))
        # The snapshot decides which calls are the caller's: Perplexity announces calls that it answers itself.
        calls = whole.calls if response.get("output") else tuple(self._calls)
        ended = Output("", "", calls, self._refused or whole.refused)
        counted = response.get("usage")
        return Delta(
            content=_missing(whole.text, self._text),
            reasoning=_missing(whole.reasoning, self._reasoning),
            tool_calls=tuple(ToolCallDelta(n, call.id, call.name, call.arguments) for n, call in enumerate(calls)),
            finish_reason=finish(response, ended),
            usage=read_usage(counted) if isinstance(counted, dict) else None,
            model=text_of(response.get("model")) or None,
            raw=response,
        )


def _missing(whole: str, pieces: list[str]) -> str:
    told = "".join(pieces)
    return whole[len(told) :] if whole.startswith(told) else ""


def _is_call(item: Mapping[str, Any]) -> bool:
    """Whether the caller has to answer it; OpenAI's own tools run there unless their call says "client"."""
    return item.get("type") in _CALLS or item.get("execution") == "client"


def _call(item: Mapping[str, Any]) -> ToolCall:
    name = text_of(item.get("name")) or text_of(item.get("type")).removesuffix("_call")
    arguments = item.get("arguments") or item.get("input") or {}
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return ToolCall(text_of(item.get("call_id")), name, written)


def _raise_for_status(data: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    status = data.get("status")
    if status in _FAILED:
        error = data.get("error") or {"message": f"the provider reports the answer as {status}"}
        raise _located(in_band_error({"error": error}, headers), data)
    if status in ("queued", "in_progress"):
        raise InvalidRequestError(
            f"the answer is still {status}: background answers are not fetched", request_id=request_id(headers)
        )


def _located(error: APIError, data: Mapping[str, Any]) -> APIError:
    return error.located(request_id=text_of(data.get("id")) or None)
