"""The values that users get back. All are immutable and picklable."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import Any, Literal, NamedTuple, Self

from flyllm.errors import LLMError

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error", "other"]
"""Why an answer ended: in every provider's case one of these words; the provider's own is in `raw`."""


class ProviderType(StrEnum):
    """The kinds of API flyllm speaks. Wherever one is expected, its name as a string (any case) will do."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"
    MISTRAL = "mistral"
    COHERE = "cohere"
    GROQ = "groq"
    TOGETHERAI = "togetherai"
    PERPLEXITY = "perplexity"
    OLLAMA = "ollama"
    LMSTUDIO = "lmstudio"


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one answer, or a sum over many.

    `prompt_tokens` includes cached ones and `completion_tokens` includes reasoning ones, for every provider.
    None means the provider did not say. `estimated` names the fields that flyllm estimated.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    estimated: frozenset[str] = frozenset()

    def source(self, name: str) -> Literal["reported", "estimated", "unknown"]:
        """Return where the number in field `name` comes from."""
        if getattr(self, name) is None:
            return "unknown"
        return "estimated" if name in self.estimated else "reported"

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            prompt_tokens=_sum(self.prompt_tokens, other.prompt_tokens),
            completion_tokens=_sum(self.completion_tokens, other.completion_tokens),
            total_tokens=_sum(self.total_tokens, other.total_tokens),
            cached_tokens=_sum(self.cached_tokens, other.cached_tokens),
            reasoning_tokens=_sum(self.reasoning_tokens, other.reasoning_tokens),
            estimated=self.estimated | other.estimated,
        )


def _sum(a: int | None, b: int | None) -> int | None:
    return (a or 0) + (b or 0) if a is not None or b is not None else None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model wants called. `arguments` is the JSON text as the model wrote it.

    `id` is the provider's, or flyllm's where it gave none. `extra_content` is what the provider wants back with the
    call, such as Gemini's thought signature; None for nothing.
    """

    id: str
    name: str
    arguments: str
    extra_content: Mapping[str, Any] | None = field(default=None, hash=False, repr=False)

    def result(self, content: Any) -> dict[str, Any]:
        """Return the message that tells the model what the call brought: text as it is, any other value as JSON.

        Raises ValueError or TypeError for a value that has no JSON form.
        """
        text = content if isinstance(content, str) else _json(content)
        return {"role": "tool", "tool_call_id": self.id, "content": text}

    def _sent(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": _object(self.arguments)}
        extra = {"extra_content": self.extra_content} if self.extra_content else {}
        return {"id": self.id, "type": "function", "function": function, **extra}


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:  # dates, dataclasses, models, ...; what pydantic does not know either becomes text
        plain = import_module("pydantic_core").to_jsonable_python(value, fallback=str)
        return json.dumps(plain, ensure_ascii=False)


def _object(arguments: str) -> str:
    # Several providers take nothing but a JSON object back, whatever their model wrote.
    try:
        whole = isinstance(json.loads(arguments or "{}"), dict)
    except ValueError:
        whole = False
    return (arguments or "{}") if whole else json.dumps({"INVALID_JSON": arguments}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A fragment of a tool call; fragments of one `index` are joined, `id` and `name` come once."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    extra_content: Mapping[str, Any] | None = field(default=None, hash=False, repr=False)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that a provider offers. `context_window` in tokens and `owned_by` are None where not told."""

    id: str
    provider: str
    owned_by: str | None = None
    context_window: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """The ledger's record of one wire call.

    Attributes:
        number: 1 for the first attempt of a request.
        started: seconds since the epoch. `waited`: seconds spent waiting before it. `duration`: seconds it took.
        outcome: "success", the error's class name, "abandoned" (by the caller) or "outrun" (another attempt beside it
            was faster). `error`: its text, None where there was none.
        retry_after: seconds the provider asked to wait, None when it did not.
        chosen_because: why this instance: the strategy's name, or "failover", "retry", "probe", "hedge".
        first_content: seconds from its start to a stream's first content; None where there was none, and for calls.
        cost: what its tokens cost by the instance's prices; None where these or the tokens are not known.
    """

    number: int
    instance_id: int
    instance_name: str
    provider: str
    model: str
    started: float
    waited: float
    duration: float
    outcome: str
    error: str | None = None
    status_code: int | None = None
    retry_after: float | None = None
    request_id: str | None = None
    usage: TokenUsage = TokenUsage()
    chosen_because: str = ""
    first_content: float | None = None
    cost: float | None = None

    @property
    def success(self) -> bool:
        """Whether this attempt brought the answer."""
        return self.outcome == "success"


@dataclass(frozen=True, slots=True)
class LLMResponse:
    """An answer, or (from the batch methods) the error in its place.

    `error` is None on success; `str(response.error)` is its message. `raw` is the provider's decoded JSON; of a stream
    it is a tuple of the events that say more than text, thoughts and calls: sources, citations, why it ended.
    `attempts` is the ledger of all wire calls. `dropped_params` are common parameters this provider cannot take.
    `parsed` is the answer in the form that `response_format` wants, None where it wants none or functions are called;
    `schema_changes` is what had to be changed in a schema for this provider (the answer is held against the whole one).
    `duration` is in seconds, waiting and retries included. `index` is the request's place in its batch, None outside of
    one; `custom_id` the request's own; `id` is flyllm's name of it, which logs, traces and debug files carry as well.
    `cost` is what the answer cost by its instance's prices, None where these or the tokens are not known.
    `extra_content` is what the provider wants back with the answer in a conversation, None for nothing.
    """

    content: str = ""
    error: LLMError | None = None
    usage: TokenUsage = TokenUsage()
    model: str | None = None
    provider: str | None = None
    instance_id: int | None = None
    instance_name: str | None = None
    task: str | None = None
    finish_reason: FinishReason | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    parsed: Any = None
    reasoning: str | None = None
    attempts: tuple[Attempt, ...] = ()
    duration: float = 0.0
    request_id: str | None = None
    dropped_params: tuple[str, ...] = ()
    schema_changes: tuple[str, ...] = ()
    index: int | None = None
    custom_id: str | None = None
    cost: float | None = None
    id: str = ""
    extra_content: Mapping[str, Any] | None = field(default=None, repr=False)
    raw: Any = field(default=None, repr=False)

    @property
    def success(self) -> bool:
        """Whether there is an answer."""
        return self.error is None

    @property
    def message(self) -> dict[str, Any]:
        """The answer with its tool calls as an assistant's message, to be appended to `messages`.

        Any provider takes it; what only its own wants back (`extra_content`) is left out elsewhere. Arguments that are
        no JSON object are in one under "INVALID_JSON". Raises the error where there is no answer.
        """
        self.raise_for_error()
        extra = {"extra_content": self.extra_content} if self.extra_content else {}
        if not self.tool_calls:
            return {"role": "assistant", "content": self.content, **extra}
        calls = [call._sent() for call in self.tool_calls]
        return {"role": "assistant", "content": self.content or None, "tool_calls": calls, **extra}

    def raise_for_error(self) -> Self:
        """Return the response itself, or raise its error."""
        if self.error is not None:
            raise self.error
        return self


@dataclass(frozen=True, slots=True)
class EmbeddingResponse:
    """The vectors of some texts, all by one model and of one length.

    `embeddings` are in the order of the texts. `usage` and `cost` are of the calls that brought them; `attempts` is the
    ledger of all calls. `instance_id` and `instance_name` are of the last one. `dropped_params` are common parameters
    that this provider cannot take. `duration` is in seconds, waiting and retries included. `raw` is the providers'
    decoded JSON, one per call; `id` is flyllm's name of the request, which logs and traces carry as well.
    """

    embeddings: tuple[tuple[float, ...], ...]
    usage: TokenUsage = TokenUsage()
    model: str | None = None
    provider: str | None = None
    instance_id: int | None = None
    instance_name: str | None = None
    task: str | None = None
    attempts: tuple[Attempt, ...] = ()
    duration: float = 0.0
    dropped_params: tuple[str, ...] = ()
    cost: float | None = None
    id: str = ""
    raw: Sequence[Any] = field(default=(), repr=False)


class StreamChunk(NamedTuple):  # which costs a third of a frozen dataclass to make
    """A piece of a streamed answer: text, reasoning or fragments of tool calls, or a mixture.

    The last one has `finish_reason` (None where the provider gave none), `usage` and the whole `tool_calls`. One with
    `reset` takes back everything before it: the answer begins again (`on_interrupt="restart"`).
    """

    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_deltas: tuple[ToolCallDelta, ...] = ()
    finish_reason: FinishReason | None = None
    usage: TokenUsage | None = None
    reset: bool = False
