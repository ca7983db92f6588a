"""The one use of tenacity: it runs the attempt loop by decisions made elsewhere.

Imported at the first failure: it takes a third of what flyllm takes, and most programs never need it.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Protocol, TypeVar

from flyllm._fork import imports

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying

T = TypeVar("T")


@cache
def retrying() -> "type[Retrying]":
    """Return tenacity's loop; the first call imports it."""
    with imports:
        from tenacity import Retrying
    return Retrying


class RetryPolicy(Protocol):
    """The decisions of one request's loop."""

    def retryable(self, error: BaseException) -> bool:
        """Return whether another attempt may be made after `error`."""

    def pause(self) -> float:
        """Return seconds to wait before it."""

    def too_late(self, pause: float) -> bool:
        """Return whether no time is left for an attempt after `pause`."""

    def failover(self, error: BaseException, pause: float) -> None:
        """Note that the request goes on elsewhere; called before the pause."""

    def sleep(self, seconds: float) -> None:
        """Wait; raises to end the loop."""


def run_attempts(attempt: Callable[[], T], policy: RetryPolicy) -> T:
    """Call `attempt` until it returns or `policy` ends it; raise its last error then."""

    def failed_with(state: "RetryCallState") -> BaseException | None:
        return state.outcome.exception() if state.outcome else None

    def retry(state: "RetryCallState") -> bool:
        error = failed_with(state)
        return error is not None and policy.retryable(error)

    def before_sleep(state: "RetryCallState") -> None:
        error = failed_with(state)
        if error is not None:
            policy.failover(error, state.upcoming_sleep)

    loop = retrying()(
        stop=lambda state: policy.too_late(state.upcoming_sleep),
        wait=lambda _: policy.pause(),
        retry=retry,
        before_sleep=before_sleep,
        sleep=policy.sleep,
        reraise=True,
    )
    return loop(attempt)
