"""The seam between flyllm and a provider: what an adapter is given and what it gives back.

An adapter builds a wire body from a `ProviderRequest`, sends it through its SDK as exactly one HTTP request,
and reads the reply into a `Completion` or a stream of `Delta`s. Everything it raises is an `LLMError`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from flyllm._secret import Secret
from flyllm.providers.effort import Efforts
from flyllm.providers.schemas.dialect import SchemaDialect
from flyllm.types import FinishReason, ModelInfo, TokenUsage, ToolCall
from flyllm.types import ToolCallDelta as ToolCallDelta


@dataclass(frozen=True, slots=True)
class EmbeddingSpec:
    """How an API embeds texts.

    Attributes:
        path: follows the base URL; "" where the SDK knows it.
        texts: how many texts one call takes. `tokens`: how many tokens they have together, None for no limit.
        params: common parameter -> wire name; one that is missing here cannot be taken and is dropped.
        fixed: what every body has, whatever the parameters say.
    """

    path: str
    texts: int
    tokens: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApiSpec:
    """One request shape of a provider: a row's data about its chat endpoint.

    Attributes:
        name: what `api = "..."` selects it by.
        adapter: "module:Class", imported on first use; the only lazy edge of the package.
        path: chat path after the version part.
        suffix: pattern of endings by which an endpoint names this API; "" means exactly `path`.
        version: version part of the path, added to an endpoint that names none.
        params: common parameter -> wire name (dots lead into objects); a common parameter missing here cannot be taken
            and is dropped.
        prefill: what a last message of the assistant has besides, from which the answer goes on; None where the API
            answers such a message, or refuses it.
        can: what it can do beside answering; a request that needs more goes elsewhere.
        embedding: how it embeds texts, where it can.
        schemas: what it takes of JSON schemas for answers; None for everything.
        efforts: how its models are told how much to think; those that no pattern fits do not take `reasoning_effort`.
    """

    name: str
    adapter: str
    path: str
    version: str
    params: Mapping[str, str]
    suffix: str = ""
    prefill: Mapping[str, Any] | None = None
    can: frozenset[str] = frozenset()
    embedding: EmbeddingSpec | None = None
    schemas: SchemaDialect | None = None
    efforts: Efforts = ()


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """One row of the registry. `apis[0]` is the default; `root` is the public host without version."""

    name: str
    extra: str
    root: str
    apis: tuple[ApiSpec, ...]
    key_variable: str = ""
    needs_key: bool = True
    static_models: tuple[str, ...] = ()

    def api(self, name: str) -> ApiSpec:
        """Return the API called `name`; KeyError if this provider has none of that name."""
        return {api.name: api for api in self.apis}[name]

    @property
    def api_names(self) -> tuple[str, ...]:
        """The names of all APIs of this provider, the default first."""
        return tuple(api.name for api in self.apis)


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What one adapter object is built from: one provider, one API, one key, one place.

    `base_url` ends with the version part where there is one, without a trailing slash.
    `connections` is how many the adapter keeps open for the next requests.
    """

    spec: ProviderSpec
    api: ApiSpec
    api_key: Secret
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    connections: int = 512


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """One attempt's request. `messages` are in the chat-completions shape, system messages included.

    `params` are merged and hold common names as well as pass-through ones. `timeout` is seconds for the attempt.
    `texts` are what is to be embedded, where that is asked for.
    """

    model: str
    messages: Sequence[Mapping[str, Any]]
    params: Mapping[str, Any] = field(default_factory=dict)
    tools: Sequence[Mapping[str, Any]] | None = None
    tool_choice: str | Mapping[str, Any] | None = None
    response_format: Mapping[str, Any] | None = None
    timeout: float = 180.0
    texts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer as an adapter read it. `headers` are the reply's, lower-case names.

    `extra_content` is what the provider wants back with it: {its name: anything}.
    """

    content: str
    finish_reason: FinishReason | None
    usage: TokenUsage = TokenUsage()
    model: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    request_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    extra_content: Mapping[str, Any] | None = None
    raw: Any = None


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of one call, checked: one per text, in their order, of one length. `headers` as in `Completion`."""

    vectors: Sequence[tuple[float, ...]]
    usage: TokenUsage = TokenUsage()
    model: str | None = None
    request_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: Any = None


class Delta(NamedTuple):  # which costs a third of a frozen dataclass to make
    """What one stream event adds. Fields an event does not carry keep their defaults.

    `extra_content` is the whole answer's, and comes with its finish reason. `raw` is the event itself where it says
    more than all this: sources, citations, why the answer ended.
    """

    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    finish_reason: FinishReason | None = None
    usage: TokenUsage | None = None
    model: str | None = None
    extra_content: Mapping[str, Any] | None = None
    raw: Mapping[str, Any] | None = None

    @property
    def has_content(self) -> bool:
        """Whether a consumer would notice it: text, reasoning or a tool call."""
        return bool(self.content or self.reasoning or self.tool_calls)


QUIET = Delta()
"""What an event adds that only shows that the answer goes on: the model works, and nothing of it is for the caller."""


class DeltaStream(Protocol):
    """An open streamed answer.

    Iteration ends normally only after the provider's terminal event; any other end raises an `LLMError`.
    `close()` may be called at any time, from any thread, and releases the connection.
    """

    @property
    def headers(self) -> Mapping[str, str]:
        """The reply's headers, lower-case names."""

    @property
    def request_id(self) -> str | None:
        """The provider's id of this call."""

    def __iter__(self) -> Iterator[Delta]: ...

    def __next__(self) -> Delta: ...

    def limit(self, seconds: float) -> None:
        """Let the rest take `seconds` from now at most, in place of the request's timeout."""

    def close(self) -> None:
        """Release the connection."""


class Provider(Protocol):
    """What an adapter does. All methods may be called from many threads at once."""

    def generate(self, request: ProviderRequest) -> Completion:
        """Send one request and return the whole answer, or raise an `LLMError`."""

    def stream(self, request: ProviderRequest) -> DeltaStream:
        """Send one request; return once the reply's headers are there and are not an error."""

    def list_models(self, timeout: float) -> list[ModelInfo]:
        """Return the models that this key can use."""

    def close(self) -> None:
        """Release all connections. The adapter opens new ones if it is used again."""


class Embedder(Protocol):
    """What an adapter does besides whose API can embed texts."""

    def embed(self, request: ProviderRequest) -> Embedded:
        """Send the texts of `request` as one call and return their vectors, or raise an `LLMError`."""


ProviderFactory = Callable[[ProviderSettings], Provider]
