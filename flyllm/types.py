"""The values that users hand in and get back. All are immutable and picklable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal, Self

from flyllm.errors import LLMError

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error", "other"]
"""Why an answer ended: in every provider's case one of these words; the provider's own is in `raw`."""

COMMON_PARAMS = (
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
)
"""Parameters that are translated to each provider's name. All others are passed through as they are."""


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
    """A function the model wants called. `arguments` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


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

    @property
    def success(self) -> bool:
        """Whether this attempt brought the answer."""
        return self.outcome == "success"


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What to ask.

    Args:
        prompt: the user's text; or leave it empty and give `messages`.
        task: routes the request to instances that support it; None means any instance.
        params: override the task's and the instance's parameters.
        messages: a conversation in the chat-completions shape: dicts with role system, user, assistant or tool.
        system: a system prompt, put before the messages.
        provider_params: extra parameters per provider name, applied only where the request lands there.
        tools, tool_choice: functions in the chat-completions shape.
        response_format: in the chat-completions shape, e.g. {"type": "json_schema", "json_schema": {...}}.
        timeout: seconds over waiting, retries and all attempts; None takes the task's, then the manager's.
        hedge: make a second attempt at another instance when the first one takes unusually long (longer than 95 of
            100 recent answers there, and a second); the faster one's answer counts, both may be billed.
        fallback_when_filtered: where a provider's content filter refuses, ask the instances of other models; without
            it a filtered answer is returned, and a refusal raised, at once.
        metadata: yours; comes back in events and debug files, is never sent.
    """

    prompt: str = ""
    task: str | None = None
    params: Mapping[str, Any] | None = None
    messages: Sequence[Mapping[str, Any]] | None = None
    system: str | None = None
    provider_params: Mapping[str, Mapping[str, Any]] | None = None
    tools: Sequence[Mapping[str, Any]] | None = None
    tool_choice: str | Mapping[str, Any] | None = None
    response_format: Mapping[str, Any] | None = None
    timeout: float | None = None
    hedge: bool = False
    fallback_when_filtered: bool = False
    metadata: Mapping[str, Any] | None = None

    @staticmethod
    def builder(prompt: str = "") -> "RequestBuilder":
        """Start a fluent request: `GenerationRequest.builder("Hi").task("chat").max_tokens(50).build()`."""
        return RequestBuilder(GenerationRequest(prompt))


class RequestBuilder:
    """Fluent construction of a `GenerationRequest`; `build()` returns it."""

    def __init__(self, request: GenerationRequest) -> None:
        self._request = request

    def _set(self, **changes: Any) -> Self:
        self._request = replace(self._request, **changes)
        return self

    def task(self, name: str) -> Self:
        """Route to instances that support task `name`."""
        return self._set(task=name)

    def param(self, name: str, value: Any) -> Self:
        """Set one parameter."""
        return self._set(params={**(self._request.params or {}), name: value})

    def params(self, params: Mapping[str, Any]) -> Self:
        """Set several parameters, keeping those already set."""
        return self._set(params={**(self._request.params or {}), **params})

    def max_tokens(self, value: int) -> Self:
        """Limit the answer to `value` tokens."""
        return self.param("max_tokens", value)

    def temperature(self, value: float) -> Self:
        """Set the sampling temperature."""
        return self.param("temperature", value)

    def system(self, text: str) -> Self:
        """Set the system prompt."""
        return self._set(system=text)

    def messages(self, messages: Sequence[Mapping[str, Any]]) -> Self:
        """Set the conversation."""
        return self._set(messages=messages)

    def provider_params(self, provider: str, **params: Any) -> Self:
        """Add parameters that apply only where the request lands at `provider`."""
        known = self._request.provider_params or {}
        return self._set(provider_params={**known, provider: {**known.get(provider, {}), **params}})

    def timeout(self, seconds: float) -> Self:
        """Set the deadline over everything, in seconds."""
        return self._set(timeout=seconds)

    def hedge(self, wanted: bool = True) -> Self:
        """Make a second attempt at another instance when the first one takes unusually long."""
        return self._set(hedge=wanted)

    def fallback_when_filtered(self, wanted: bool = True) -> Self:
        """Ask the instances of other models where a content filter refuses."""
        return self._set(fallback_when_filtered=wanted)

    def metadata(self, **metadata: Any) -> Self:
        """Attach your own data to the request."""
        return self._set(metadata={**(self._request.metadata or {}), **metadata})

    def build(self) -> GenerationRequest:
        """Return the request."""
        return self._request


@dataclass(frozen=True, slots=True)
class LLMResponse:
    """An answer, or (from the batch methods) the error in its place.

    `error` is None on success; `str(response.error)` is its message. `raw` is the provider's decoded JSON.
    `attempts` is the ledger of all wire calls. `dropped_params` are common parameters this provider cannot take.
    `duration` is in seconds, waiting and retries included.
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
    raw: Any = field(default=None, repr=False)

    @property
    def success(self) -> bool:
        """Whether there is an answer."""
        return self.error is None

    def raise_for_error(self) -> Self:
        """Return the response itself, or raise its error."""
        if self.error is not None:
            raise self.error
        return self


@dataclass(frozen=True, slots=True)
class StreamChunk:
    """A piece of a streamed answer: text, reasoning or finished tool calls; the last one has `finish_reason`."""

    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason | None = None
    usage: TokenUsage | None = None
