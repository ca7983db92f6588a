"""The seam between the simulator's server and a provider's wire format.

The server decides what happens (which reply, which fault, how fast); a wire decides how it looks in bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Any, Literal, Protocol

Json = dict[str, Any]


class Operation(Enum):
    """What a request asks for."""

    CHAT = "chat"
    STREAM = "stream"
    MODELS = "models"
    EMBEDDINGS = "embeddings"


class ErrorKind(Enum):
    """Errors that providers report in their own words; a wire renders each as its provider documents it."""

    INVALID_REQUEST = 400
    AUTHENTICATION = 401
    QUOTA = 402  # rendered with the status the provider really uses (openai: 429 insufficient_quota)
    PERMISSION = 403
    MODEL_NOT_FOUND = 404
    CONTEXT_LENGTH = 4001  # "the prompt is too long", in the provider's status and code
    CONTENT_FILTER = 4002
    RATE_LIMIT = 429
    SERVER_ERROR = 500
    OVERLOADED = 503  # anthropic: 529 overloaded_error


@dataclass(frozen=True, slots=True)
class SimulatedToolCall:
    """A function call in a scripted answer."""

    name: str
    arguments: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the simulated model answers. Token counts include cached and reasoning tokens, as in flyllm's types."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[SimulatedToolCall, ...] = ()
    finish: Literal["stop", "length", "tool_calls", "content_filter"] = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A request as a wire understood it. `prompt` is all text of the messages joined, for echo and counting.

    `inputs` are the texts to embed, `dimensions` how long their vectors shall be, None for the model's length.
    """

    operation: Operation
    model: str
    prompt: str
    body: Json
    inputs: tuple[str, ...] = ()
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """A rate limit's state, for the provider's own headers. None where that dimension is not limited."""

    requests: int | None = None
    remaining_requests: int | None = None
    reset_requests: float | None = None  # seconds from now
    tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A complete HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


class BadRequest(Exception):  # noqa: N818 - it is an answer, not a failure of the simulator
    """The request is not one the provider accepts; `message` in the provider's manner, `param` what is wrong."""

    def __init__(self, message: str, param: str | None = None, kind: ErrorKind = ErrorKind.INVALID_REQUEST) -> None:
        super().__init__(message)
        self.message, self.param, self.kind = message, param, kind


class Wire(Protocol):
    """One provider's API. All randomness (ids) comes from the `Random` passed in, so a seed fixes every byte."""

    provider: str

    def operation(self, method: str, path: str, body: Json | None) -> Operation | None:
        """Return what the request asks for; None for an unknown path or method (answered with 404)."""

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Return the API key from the lower-case `headers`, where this provider looks for it."""

    def read(self, operation: Operation, path: str, body: Json) -> Call:
        """Understand a request; raise `BadRequest` where the provider would answer 400 or 422."""

    def chat(self, call: Call, reply: Reply, rng: Random) -> Json:
        """Return the JSON of a whole answer."""

    def stream(self, call: Call, reply: Reply, rng: Random) -> Iterator[bytes]:
        """Yield the frames of a streamed answer, each one whole event as sent on the wire, the terminal one last."""

    @property
    def stream_content_type(self) -> str:
        """Content type of streamed answers."""

    def stream_error(self, kind: ErrorKind, message: str, rng: Random) -> bytes:
        """Return the frame of an error inside a running stream, as this provider sends it."""

    def models(self, names: Sequence[str]) -> Json:
        """Return the model list."""

    def embeddings(self, call: Call, vectors: Sequence[Sequence[float]], rng: Random) -> Json:
        """Return embeddings of `call.inputs`; raise `BadRequest` (404) where the provider has none."""

    def error(self, kind: ErrorKind, message: str | None, rng: Random, param: str | None = None) -> HttpReply:
        """Return an error answer, with the provider's own message where `message` is None."""

    def headers(self, call: Call | None, limits: Limits, rng: Random) -> dict[str, str]:
        """Return the headers of every answer: request id under the provider's name for it, rate limit headers."""
