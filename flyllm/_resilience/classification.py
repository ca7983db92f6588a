"""What a failure means for the request: a table from error class to where it may go next.

The attempt loop never looks at an error otherwise.
"""

from dataclasses import dataclass, replace
from enum import Enum

from flyllm.errors import (
    APIError,
    AuthenticationError,
    ConfigError,
    ContentFilterError,
    ContextLengthError,
    DeadlineExceededError,
    InvalidRequestError,
    LLMError,
    ManagerClosedError,
    ModelNotFoundError,
    NoInstanceError,
    OverloadedError,
    ParseError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    RequestError,
    ServerError,
    StreamInterruptedError,
)


class Exclusion(Enum):
    """What this request must not use again."""

    NOTHING = "nothing"
    INSTANCE = "instance"
    MODEL = "model"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The consequence of a failure.

    Attributes:
        retry: whether another attempt may help at all.
        exclude: what the request avoids for good; an instance that merely failed is avoided until all were tried.
        actionable: rank among a request's errors: the highest one is raised, because its owner can act on it.
        harms: whether the failure says something about the instance; a bad request does not.
    """

    retry: bool
    exclude: Exclusion = Exclusion.NOTHING
    actionable: int = 0
    harms: bool = True


# The first class of an error's MRO that stands here decides.
_VERDICTS: dict[type[LLMError], Verdict] = {
    AuthenticationError: Verdict(retry=True, exclude=Exclusion.INSTANCE, actionable=3),
    QuotaExceededError: Verdict(retry=True, exclude=Exclusion.INSTANCE, actionable=3),
    ModelNotFoundError: Verdict(retry=True, exclude=Exclusion.INSTANCE, actionable=3),
    RateLimitError: Verdict(retry=True, actionable=1),
    OverloadedError: Verdict(retry=True),
    ServerError: Verdict(retry=True),
    ContextLengthError: Verdict(retry=False, actionable=4, harms=False),
    ContentFilterError: Verdict(retry=False, actionable=4, harms=False),
    InvalidRequestError: Verdict(retry=True, exclude=Exclusion.MODEL, actionable=2, harms=False),
    APIError: Verdict(retry=True),
    ParseError: Verdict(retry=True),
    RequestError: Verdict(retry=True),
    # A missing SDK, or what an adapter did not foresee: the provider's other instances would fail alike.
    ConfigError: Verdict(retry=True, exclude=Exclusion.PROVIDER, actionable=3),
    ProviderError: Verdict(retry=True, exclude=Exclusion.PROVIDER, actionable=2),
    StreamInterruptedError: Verdict(retry=False, actionable=4),
    DeadlineExceededError: Verdict(retry=False, actionable=5),
    ManagerClosedError: Verdict(retry=False, actionable=5),
    # Nobody is left: what made the others fail says more.
    NoInstanceError: Verdict(retry=False, actionable=-1, harms=False),
    LLMError: Verdict(retry=False),
}


def classify(error: LLMError) -> Verdict:
    """Return the verdict on `error`."""
    verdict = next(_VERDICTS[cls] for cls in type(error).__mro__ if cls in _VERDICTS)
    if isinstance(error, APIError) and error.should_retry is False:
        return replace(verdict, exclude=Exclusion.PROVIDER)
    if type(error) is InvalidRequestError and error.should_retry:
        return _VERDICTS[ServerError]
    if isinstance(error, RequestError) and error.local:
        return replace(verdict, harms=False)
    return verdict


def most_actionable(errors: list[LLMError]) -> LLMError:
    """Return the error to raise for a request: what its owner can act on first, else the last one."""
    return max(enumerate(errors), key=lambda item: (classify(item[1]).actionable, item[0]))[1]
