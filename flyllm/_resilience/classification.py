"""What a failure means for the request: a table from error class to where it may go next.

The attempt loop never looks at an error otherwise.
"""

import re
from dataclasses import dataclass, replace
from enum import Enum

from flyllm.errors import (
    APIError,
    AuthenticationError,
    ConfigError,
    ContentFilterError,
    ContextLengthError,
    DeadlineExceededError,
    InvalidOutputError,
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
    TruncatedAnswerError,
    UnusableAnswerError,
)


class Exclusion(Enum):
    """What this request must not use again."""

    NOTHING = "nothing"
    INSTANCE = "instance"
    MODEL = "model"
    PROVIDER = "provider"


class Signal(Enum):
    """What an attempt's end says about the instance's health."""

    GOOD = "good"
    ALIVE = "alive"
    """It refused for load, or the request itself: it works, but that says nothing of its error rate."""
    SOFT = "soft"
    """It answered wrongly or broke off."""
    HARD = "hard"
    """No connection was made."""
    LATE = "late"
    """Its request's own deadline ended it: a bad sign only where the instance usually takes less."""
    SLOW = "slow"
    """It was cut because another one was faster: it works, and takes at least so long."""
    NONE = "none"
    """Nothing: the cause lies on this side."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The consequence of a failure.

    Attributes:
        retry: whether another attempt may help at all.
        exclude: what the request avoids for good; an instance that merely failed is avoided until all were tried.
        actionable: rank among a request's errors: the highest one is raised, because its owner can act on it.
        signal: what it says about the instance.
        eject: seconds to leave the instance alone at first; None where only repeated failures do that.
        overload: whether the instance refused for load, so that it gets less at once.
        elsewhere: whether instances of other providers are preferred next.
        counted: whether it uses one of `max_retries`; refusals for load are many and harmless, and have a bound
            of their own.
        pays: whether another attempt costs a token of the retry budget.
    """

    retry: bool
    exclude: Exclusion = Exclusion.NOTHING
    actionable: int = 0
    signal: Signal = Signal.SOFT
    eject: float | None = None
    overload: bool = False
    elsewhere: bool = False
    counted: bool = True
    pays: bool = False


ANOTHER_MODEL = Verdict(True, Exclusion.MODEL, 4, Signal.ALIVE)
"""On a refusal that another model may not share."""

ASK_AGAIN = Verdict(True, actionable=4, signal=Signal.ALIVE)
"""On an answer that its model can be told what is wrong with; allowed as often as its request wants."""

_TRANSIENT = Verdict(retry=True, pays=True)
# The first class of an error's MRO that stands here decides.
_VERDICTS: dict[type[LLMError], Verdict] = {
    AuthenticationError: Verdict(True, Exclusion.INSTANCE, 3, Signal.NONE, eject=60.0),
    QuotaExceededError: Verdict(True, Exclusion.INSTANCE, 3, Signal.NONE, eject=300.0),
    ModelNotFoundError: Verdict(True, Exclusion.INSTANCE, 3, Signal.NONE, eject=300.0),
    RateLimitError: Verdict(True, actionable=1, signal=Signal.ALIVE, overload=True, counted=False),
    OverloadedError: Verdict(True, overload=True, elsewhere=True, pays=True),
    ServerError: _TRANSIENT,
    ContextLengthError: ANOTHER_MODEL,
    ContentFilterError: Verdict(False, actionable=4, signal=Signal.ALIVE),
    InvalidRequestError: Verdict(True, Exclusion.MODEL, 2, Signal.ALIVE),
    APIError: _TRANSIENT,
    ParseError: _TRANSIENT,
    RequestError: _TRANSIENT,
    # A missing SDK, or what an adapter did not foresee: the provider's other instances would fail alike.
    ConfigError: Verdict(True, Exclusion.PROVIDER, 3, Signal.NONE),
    ProviderError: Verdict(True, Exclusion.PROVIDER, 2, Signal.NONE),
    # The instance works. As it was asked, the same model would be cut again; an empty answer may have been chance.
    UnusableAnswerError: Verdict(True, actionable=4, signal=Signal.ALIVE, pays=True),
    TruncatedAnswerError: ANOTHER_MODEL,
    InvalidOutputError: Verdict(False, actionable=4, signal=Signal.ALIVE),
    StreamInterruptedError: Verdict(False, actionable=4),
    DeadlineExceededError: Verdict(False, actionable=5, signal=Signal.NONE),
    ManagerClosedError: Verdict(False, actionable=5, signal=Signal.NONE),
    # Nobody is left: what made the others fail says more.
    NoInstanceError: Verdict(False, actionable=-1, signal=Signal.NONE),
    LLMError: Verdict(False, signal=Signal.NONE),
}
_DENIED = re.compile("auth|permission|scope|api_key|UNAUTHENTICATED|DENIED|forbidden", re.IGNORECASE)


def classify(error: LLMError) -> Verdict:
    """Return the verdict on `error`."""
    verdict = next(_VERDICTS[cls] for cls in type(error).__mro__ if cls in _VERDICTS)
    if isinstance(error, RequestError) and (error.local or not error.sent):
        return replace(verdict, signal=Signal.NONE if error.local else Signal.HARD, pays=error.sent)
    if isinstance(error, RequestError) and error.stale:
        return replace(verdict, signal=Signal.NONE, pays=False)
    if isinstance(error, APIError):
        return _advised(error, verdict)
    return verdict


def _advised(error: APIError, verdict: Verdict) -> Verdict:
    """Take in the provider's own advice on trying again, and doubts about what a 403 means."""
    if error.should_retry is False:
        return replace(verdict, exclude=Exclusion.PROVIDER)
    if type(error) is InvalidRequestError and error.should_retry:
        return _TRANSIENT
    if error.status_code == 403 and not _DENIED.search(error.code or ""):
        # Some providers say 403 for a refused prompt or region: that is no reason to give the key up.
        return replace(verdict, eject=None)
    return verdict


def most_actionable(errors: list[LLMError]) -> LLMError:
    """Return the error to raise for a request: what its owner can act on first, else the last one."""
    return max(enumerate(errors), key=lambda item: (classify(item[1]).actionable, item[0]))[1]
