"""Putting an answer together from deltas: text, reasoning, tool calls, usage, finish."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flyllm._execution.splice import Splice
from flyllm.providers.base import Completion, Delta, ToolCallDelta
from flyllm.types import FinishReason, StreamChunk, TokenUsage, ToolCall

CHARACTERS_PER_TOKEN = 4
"""A rough average for English text (OpenAI's rule of thumb), for tokens that no provider counted."""


class _Call:
    __slots__ = ("arguments", "extra", "id", "name")

    def __init__(self) -> None:
        self.id = self.name = ""
        self.extra: Mapping[str, Any] | None = None
        self.arguments: list[str] = []


class Assembler:
    """Takes deltas in, gives chunks out, and has the whole answer in the end.

    An answer that goes on `after` another one that broke off begins with its text and reasoning.
    """

    def __init__(self, after: "Assembler | None" = None) -> None:
        self._after = after
        self._splice = Splice(after.content) if after is not None else None
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._finish: FinishReason | None = None
        self._usage: TokenUsage | None = None
        self._model: str | None = None
        self._extra: Mapping[str, Any] | None = None
        self._raw: list[Mapping[str, Any]] = []

    @property
    def content(self) -> str:
        """The text so far."""
        return "".join([self._after.content if self._after is not None else "", *self._content])

    @property
    def reasoning(self) -> str:
        """The reasoning so far."""
        return "".join([self._after.reasoning if self._after is not None else "", *self._reasoning])

    @property
    def raw(self) -> tuple[Mapping[str, Any], ...]:
        """The events that said more than what is read of them, in their order."""
        return (*(self._after.raw if self._after is not None else ()), *self._raw)

    def take(self, delta: Delta) -> StreamChunk | None:
        """Take in one delta; return a chunk if it has something for the consumer."""
        content, reasoning, fragments, finish, usage, model, extra, raw = delta
        if raw is not None:
            self._raw.append(raw)
        if finish or usage or model:
            self._extra = extra or self._extra
            self._finish = finish or self._finish
            self._usage = usage or self._usage
            self._model = model or self._model
        if content and self._splice is not None:
            content = self._splice.take(content)
        if content:
            self._content.append(content)
        elif not reasoning and not fragments:
            return None
        if reasoning:
            self._reasoning.append(reasoning)
        for fragment in fragments:
            self._add(fragment)
        return StreamChunk(content, reasoning, (), fragments)

    def rest(self) -> str:
        """Return text that is handed over only now that nothing follows it."""
        rest = self._splice.rest() if self._splice is not None else ""
        self._content.append(rest)
        return rest

    def completion(self, headers: Mapping[str, str], request_id: str | None) -> Completion:
        """Return the whole answer."""
        return Completion(
            content=self.content,
            finish_reason=self._finish,
            usage=self._usage or self._unreported(),
            model=self._model,
            reasoning=self.reasoning or None,
            tool_calls=self.tool_calls(),
            extra_content=self._extra,
            raw=self.raw,
            request_id=request_id,
            headers=headers,
        )

    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Return the tool calls, in the order of their index."""
        return tuple(ToolCall(c.id, c.name, "".join(c.arguments), c.extra) for _, c in sorted(self._calls.items()))

    def whole_usage(self, usage: TokenUsage) -> TokenUsage:
        """Return what the whole answer has cost, if its last part has cost `usage`."""
        if self._after is None:
            return usage
        before = self._after.whole_usage(self._after.usage_so_far())
        unknown = {"prompt_tokens"} if before.prompt_tokens is None else frozenset()
        return replace(before + usage, estimated=before.estimated | usage.estimated | unknown)

    def _unreported(self) -> TokenUsage:
        # Added to what an earlier part has cost, nothing would read as none.
        return TokenUsage() if self._after is None else self.usage_so_far()

    def usage_so_far(self) -> TokenUsage:
        """Return what an answer that broke off has cost: what was reported, but at least what was received.

        Usage reported along the way counts the answer as of then, or as one token (Anthropic's first event).
        """
        reported = self._usage or TokenUsage()
        pieces = (*self._content, *self._reasoning, *(part for c in self._calls.values() for part in c.arguments))
        tokens = -(-sum(map(len, pieces)) // CHARACTERS_PER_TOKEN)
        if reported.completion_tokens is not None and (self._finish or reported.completion_tokens >= tokens):
            return reported
        total = (reported.prompt_tokens or 0) + tokens
        return replace(reported, completion_tokens=tokens, total_tokens=total, estimated=_ESTIMATED)

    def _add(self, fragment: ToolCallDelta) -> None:
        call = self._calls.setdefault(fragment.index, _Call())
        call.id = call.id or fragment.id
        call.name = call.name or fragment.name
        call.extra = call.extra or fragment.extra_content
        call.arguments.append(fragment.arguments)


_ESTIMATED = frozenset({"completion_tokens", "total_tokens"})
