"""Every exception flyllm raises.

    LLMError
    ├── ConfigError               the configuration or a request is wrong; nothing was sent
    │   └── MissingDependencyError   an SDK is not installed; the message names the extra
    ├── NoInstanceError           no enabled instance can serve this request
    ├── DeadlineExceededError     the request's time ran out
    ├── BatchStoppedError         a batch ended before this request was sent, as its caller wanted
    ├── BudgetExceededError       the manager's budget is spent; nothing was sent
    ├── ToolRoundsExceededError   `run_tools` made `max_rounds` requests and the model still calls functions (`run`)
    ├── ManagerClosedError        the manager was closed before or while the request ran
    └── ProviderError             an attempt failed at one instance
        ├── RequestError          transport: no connection, cut, timed out (`sent` says whether it may have arrived)
        ├── ParseError            the provider answered something that is not an answer
        ├── UnusableAnswerError   an answer came that the request does not take (`answer` has it)
        │   ├── EmptyAnswerError      it has neither text nor calls (`fail_on={"empty"}`)
        │   ├── TruncatedAnswerError  it was cut at its limit (`fail_on={"length"}`)
        │   └── InvalidOutputError    it is not of the form that `response_format` wants (`faults`)
        ├── StreamInterruptedError   a stream broke after content was handed over (`partial` has it)
        └── APIError              the provider said no
            ├── AuthenticationError   the key is missing, wrong or lacks a permission
            ├── QuotaExceededError    no credit, or the spend limit is reached
            ├── RateLimitError        too many requests or tokens for now
            ├── OverloadedError       the provider as a whole is overloaded
            ├── ServerError           the provider failed
            ├── ModelNotFoundError    no such model or endpoint
            └── InvalidRequestError   the request is refused
                ├── ContextLengthError   it exceeds the model's context window
                └── ContentFilterError   the content policy refused it

`label` is the error's word in metrics and logs. Messages never hold a key. All classes pickle.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from flyllm.tools.run import ToolRun
    from flyllm.types import Attempt, LLMResponse, TokenUsage


class LLMError(Exception):
    """Base of all errors of this package.

    Attributes are None where they do not apply:
        provider, model, instance: where it happened; `instance` is the instance's name.
        status_code: HTTP status; `code`: the provider's own error code or type.
        request_id: the provider's id of the failed call, to quote to its support.
        retry_after: seconds the provider asked to wait.
        attempts: the ledger, one `Attempt` per wire call made for the request, in order.
        run: what `run_tools` had come to before, with its own ledger.
        answer: the answer that was not taken, where that is the error.
    """

    label: ClassVar[str] = "api_error"

    provider: str | None = None
    model: str | None = None
    instance: str | None = None
    status_code: int | None = None
    code: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    attempts: "tuple[Attempt, ...]" = ()
    run: "ToolRun | None" = None
    answer: "LLMResponse | None" = None

    def __init__(self, message: str = "", **details: Any) -> None:
        super().__init__(message)
        for name, value in details.items():
            if not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} has no attribute {name!r}")
            setattr(self, name, value)

    @property
    def message(self) -> str:
        """The text of the error, as `str()` gives it."""
        return str(self)

    def located(self, **details: Any) -> Self:
        """Fill in where the error happened, keeping what is already known; return the error itself."""
        for name, value in details.items():
            if not getattr(self, name):
                setattr(self, name, value)
        return self

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(cls: type[LLMError], args: tuple[str, ...], details: Mapping[str, Any]) -> LLMError:
    error = cls.__new__(cls)
    Exception.__init__(error, *args)
    error.__dict__.update(details)
    return error


class ConfigError(LLMError):
    """The configuration or a request is wrong. `faults` lists every fault found, not only the first."""

    label = "config_error"
    faults: tuple[str, ...] = ()

    @classmethod
    def from_faults(cls, faults: list[str], title: str = "The configuration is not valid") -> "ConfigError":
        """Return one error that names every fault."""
        if len(faults) == 1:
            return cls(faults[0], faults=tuple(faults))
        lines = "\n".join(f"{n}. {fault}" for n, fault in enumerate(faults, 1))
        return cls(f"{title} ({len(faults)} faults):\n{lines}", faults=tuple(faults))


class MissingDependencyError(ConfigError):
    """A package that this feature needs is not installed; the message says what to install."""


class NoInstanceError(LLMError):
    """No enabled instance can serve the request."""

    label = "provider_disabled"


class DeadlineExceededError(LLMError):
    """The request's `timeout` passed before an answer came."""

    label = "request_error"


class BatchStoppedError(LLMError):
    """A batch was stopped before all of its requests were sent: by its deadline, `max_failures` or `budget`.

    `batch_iter` raises it after all responses of those that were sent; `batch_generate` puts it in the places of the
    others.
    """


class BudgetExceededError(LLMError):
    """The manager's `budget_cost` or `budget_tokens` is spent; new requests are refused until it is raised or reset."""

    label = "rate_limit"  # as where the provider's own spend limit is reached


class ToolRoundsExceededError(LLMError):
    """The model still calls functions after `max_rounds` requests. `run` has the conversation before the last answer,
    whose calls (`run.response.tool_calls`) were not made.
    """


class ManagerClosedError(LLMError):
    """The manager is closed."""

    label = "provider_disabled"


class ProviderError(LLMError):
    """An attempt failed at one instance."""


class RequestError(ProviderError):
    """The exchange failed below HTTP: no connection, cut, reset or timed out.

    `sent` is False when the request surely never reached the provider (refused, DNS, TLS, connect timeout),
    True when it may have. `local` is True when this process is the cause (no free connection or file). `stale` is True
    when a connection kept from before broke before any of the answer came: servers close idle ones, at times just as
    one is used again.
    """

    label = "request_error"
    sent: bool = True
    local: bool = False
    stale: bool = False


class ParseError(ProviderError):
    """The provider's answer cannot be read: HTML, empty, truncated, or JSON of another shape."""

    label = "parse_error"


class UnusableAnswerError(ProviderError):
    """An answer came that the request does not take; it is in `answer`, its tokens are counted."""

    label = "parse_error"  # as the original calls an answer that it cannot use


class EmptyAnswerError(UnusableAnswerError):
    """The answer has neither text nor tool calls, and the request's `fail_on` names "empty"."""


class TruncatedAnswerError(UnusableAnswerError):
    """The answer was cut at its limit, and the request's `fail_on` names "length"."""


class InvalidOutputError(UnusableAnswerError):
    """The answer is not of the form that the request's `response_format` wants. `faults` says what is wrong with it."""

    faults: tuple[str, ...] = ()


class StreamInterruptedError(ProviderError):
    """A stream broke after content had been handed over; nothing is replayed silently.

    `partial` is the text received so far, `usage` the tokens known so far, `cause` the underlying error.
    """

    label = "request_error"
    partial: str = ""
    usage: "TokenUsage | None" = None
    cause: LLMError | None = None


class APIError(ProviderError):
    """The provider answered with an error. `should_retry` is its own advice, None when it gave none."""

    should_retry: bool | None = None


class AuthenticationError(APIError):
    """The key is missing, wrong or lacks a permission (401, 403)."""


class QuotaExceededError(APIError):
    """The account has no credit or its spend limit is reached; waiting does not help."""

    label = "rate_limit"


class RateLimitError(APIError):
    """Too many requests or tokens for now (429)."""

    label = "rate_limit"


class OverloadedError(APIError):
    """The provider as a whole is overloaded (529, or 503 that says so)."""


class ServerError(APIError):
    """The provider failed (5xx, 408, 409, 425)."""


class InvalidRequestError(APIError):
    """The provider refuses this request (400, 422 and other 4xx); sending it again does not help."""


class ContextLengthError(InvalidRequestError):
    """Prompt and answer together exceed the model's context window."""


class ContentFilterError(InvalidRequestError):
    """The provider's content policy refused the request."""


class ModelNotFoundError(APIError):
    """The model or endpoint does not exist there or is retired (404, 410, redirects)."""
