"""What to do about an instance that does not answer, in a few words by the kind of error."""

from flyllm._secret import Secret
from flyllm.config.model import InstanceConfig
from flyllm.errors import (
    AuthenticationError,
    DeadlineExceededError,
    InvalidRequestError,
    LLMError,
    MissingDependencyError,
    ModelNotFoundError,
    OverloadedError,
    ParseError,
    QuotaExceededError,
    RateLimitError,
    RequestError,
    ServerError,
)

_ADVICE: dict[type[LLMError], str] = {
    MissingDependencyError: "",  # its message says what to install
    AuthenticationError: "check {key}",
    QuotaExceededError: "add credit or raise the spend limit at the provider",
    RateLimitError: "wait, or set rpm and tpm to what the key is granted",
    ModelNotFoundError: "see what the key can use: flyllm models --instance {name}",
    InvalidRequestError: "check model, api and params",
    OverloadedError: "the provider's trouble: try again later",
    ServerError: "the provider's trouble: try again later",
    ParseError: "check that endpoint is such an API",
    RequestError: "check endpoint, network and proxy; is a server running at {host}?",
    DeadlineExceededError: "try a longer --timeout, or check endpoint and network",
}


def advice(error: LLMError, instance: InstanceConfig, name: str, host: str) -> str:
    """Return what to do about `error` of `instance`, "" where its message says it or nothing is known."""
    found = next((_ADVICE[kind] for kind in type(error).__mro__ if kind in _ADVICE), "")
    return found.format(key=_key(instance.api_key), name=_quoted(name), host=host)


def _key(key: Secret) -> str:
    """Say where the key is, never what it is."""
    if not key:
        return "api_key, which is not given"
    if key.origin is None:
        return "api_key in the configuration"
    return f"the key in {key.origin.text or key.origin.file}"


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
