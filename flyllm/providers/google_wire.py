"""Google's generateContent wire: answers and streamed responses. Requests are made in `google_body`.

Parts that are neither text nor a function call (code that Google ran, inline images, ...) are skipped; they remain
in `raw`.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flyllm.errors import ParseError
from flyllm.providers.base import Completion, Delta, ToolCallDelta
from flyllm.providers.call_ids import invented_id
from flyllm.providers.failures import in_band_error, request_id
from flyllm.providers.payload import count, decode, dicts, mapping, text_of, usage
from flyllm.providers.sse import ServerEvent
from flyllm.providers.streaming import unfinished
from flyllm.types import FinishReason, TokenUsage, ToolCall

FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MALFORMED_FUNCTION_CALL": "error",
    "MALFORMED_RESPONSE": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error",
    "MISSING_THOUGHT_SIGNATURE": "error",
}
_SOURCES = frozenset({"citationMetadata", "groundingMetadata", "urlContextMetadata"})
"""Of a candidate's fields those that say where its text comes from."""


def read(data: Mapping[str, Any], headers: Mapping[str, str]) -> Completion:
    """Return the answer in a reply; raise `ParseError` where there is none.

    A prompt that Google blocks is answered without candidates: that is an empty answer, finished by "content_filter".
    """
    answer = ResponseReader()
    delta = answer.read(data)
    if not answer.begun:
        raise ParseError("the answer has no candidates", request_id=request_id(headers))
    return Completion(
        content=delta.content,
        finish_reason=delta.finish_reason,
        usage=delta.usage or TokenUsage(),
        model=delta.model,
        reasoning=delta.reasoning or None,
        tool_calls=tuple(ToolCall(c.id, c.name, c.arguments, c.extra_content) for c in delta.tool_calls),
        request_id=request_id(headers) or text_of(data.get("responseId")) or None,
        headers=headers,
        raw=data,
    )


def read_events(source: Iterator[ServerEvent]) -> Iterator[Delta]:
    """Yield what each streamed response adds, to the end of the stream: only the last one has all tokens."""
    answer = ResponseReader()
    for event in source:
        if event.data and not event.data.startswith("[DONE]"):
            yield answer.read(decode(event.data))
    if not answer.finished:
        raise unfinished("a finish reason")


class ResponseReader:
    """Reads the responses that make up one answer: one for a call, many for a stream.

    `begun` once there was a candidate, `finished` once the answer's finish reason was seen.
    """

    def __init__(self) -> None:
        self.begun = self.finished = False
        self._calls = 0

    def read(self, data: Mapping[str, Any]) -> Delta:
        """Return what one response adds; raise the error that stands in it."""
        if data.get("error"):
            raise in_band_error(data, {})
        candidates = dicts(data.get("candidates"))
        candidate = min(candidates, key=_index) if len(candidates) > 1 else next(iter(candidates), {})
        found = dicts(mapping(candidate.get("content")).get("parts"))
        texts = [part for part in found if isinstance(part.get("text"), str)]
        counted = data.get("usageMetadata")
        calls = tuple(self._call(part) for part in found if part.get("functionCall"))
        reason = self._finish(candidate.get("finishReason"), mapping(data.get("promptFeedback")).get("blockReason"))
        self.begun = self.begun or self.finished or "content" in candidate
        return Delta(
            content="".join(part["text"] for part in texts if not part.get("thought")),
            reasoning="".join(part["text"] for part in texts if part.get("thought")),
            tool_calls=calls,
            finish_reason=reason,
            usage=read_usage(counted) if isinstance(counted, dict) else None,
            model=text_of(data.get("modelVersion")) or None,
            raw=data if reason or not _SOURCES.isdisjoint(candidate) else None,
        )

    def _finish(self, word: Any, blocked: Any) -> FinishReason | None:
        if not word and not blocked:
            return None
        self.finished = True
        if not word:
            return "content_filter"
        reason = FINISH.get(word, "other")
        return "tool_calls" if reason == "stop" and self._calls else reason

    def _call(self, part: Mapping[str, Any]) -> ToolCallDelta:
        call, number = mapping(part["functionCall"]), self._calls
        self._calls += 1
        arguments = json.dumps(call.get("args") or {}, ensure_ascii=False)
        signature = text_of(part.get("thoughtSignature"))
        # As Google's own chat-completions API has it.
        extra = {"google": {"thought_signature": signature}} if signature else None
        call_id = text_of(call.get("id")) or invented_id()
        return ToolCallDelta(number, call_id, text_of(call.get("name")), arguments, extra)


def read_usage(data: Mapping[str, Any]) -> TokenUsage:
    """Return the tokens of `usageMetadata`, where a count of nothing is left out.

    Thoughts count apart from candidates, and what Google's own tools put into the prompt apart from the prompt.
    """
    total = count(data, "totalTokenCount")
    prompt = _sum(count(data, "promptTokenCount"), count(data, "toolUsePromptTokenCount"))
    thoughts = count(data, "thoughtsTokenCount")
    completion = _sum(count(data, "candidatesTokenCount"), thoughts)
    if completion is None and prompt is not None and total is not None:
        completion = max(0, total - prompt)
    return usage(prompt, completion, total, count(data, "cachedContentTokenCount"), thoughts)


def _index(candidate: Mapping[str, Any]) -> int:
    return count(candidate, "index") or 0


def _sum(*counts: int | None) -> int | None:
    known = [number for number in counts if number is not None]
    return sum(known) if known else None
