"""Putting an answer together from deltas: text, reasoning, tool calls, usage, finish."""

from collections.abc import Mapping
from dataclasses import replace

from flyllm.providers.base import Completion, Delta, ToolCallDelta
from flyllm.types import FinishReason, StreamChunk, TokenUsage, ToolCall

CHARACTERS_PER_TOKEN = 4
"""A rough average for English text (OpenAI's rule of thumb), for tokens that no provider counted."""


class _Call:
    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = self.name = ""
        self.arguments: list[str] = []


class Assembler:
    """Takes deltas in, gives chunks out, and has the whole answer in the end."""

    def __init__(self) -> None:
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._finish: FinishReason | None = None
        self._usage: TokenUsage | None = None
        self._model: str | None = None

    @property
    def content(self) -> str:
        """The text so far."""
        return "".join(self._content)

    def take(self, delta: Delta) -> StreamChunk | None:
        """Take in one delta; return a chunk if it has text or reasoning for the consumer."""
        self._finish = delta.finish_reason or self._finish
        self._usage = delta.usage or self._usage
        self._model = delta.model or self._model
        for fragment in delta.tool_calls:
            self._add(fragment)
        if not delta.content and not delta.reasoning:
            return None
        self._content.append(delta.content)
        self._reasoning.append(delta.reasoning)
        return StreamChunk(content=delta.content, reasoning=delta.reasoning)

    def completion(self, headers: Mapping[str, str], request_id: str | None) -> Completion:
        """Return the whole answer."""
        return Completion(
            content=self.content,
            finish_reason=self._finish,
            usage=self._usage or TokenUsage(),
            model=self._model,
            reasoning="".join(self._reasoning) or None,
            tool_calls=self.tool_calls(),
            request_id=request_id,
            headers=headers,
        )

    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Return the tool calls, in the order of their index."""
        return tuple(ToolCall(c.id, c.name, "".join(c.arguments)) for _, c in sorted(self._calls.items()))

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
        call.arguments.append(fragment.arguments)


_ESTIMATED = frozenset({"completion_tokens", "total_tokens"})
