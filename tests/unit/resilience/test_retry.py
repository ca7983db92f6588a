"""Rules of the loop that tenacity runs."""

from collections.abc import Callable

import pytest

from flyllm._resilience.retry import run_attempts


class Policy:
    """A scripted policy that writes down what it is asked."""

    def __init__(self, retries: int = 99, late: bool = False) -> None:
        self.retries, self.late = retries, late
        self.calls: list[object] = []

    def retryable(self, error: BaseException) -> bool:
        self.calls.append(("retryable", error))
        self.retries -= 1
        return self.retries >= 0 and isinstance(error, ValueError)

    def pause(self) -> float:
        self.calls.append("pause")
        return 1.5

    def too_late(self, pause: float) -> bool:
        self.calls.append(("too_late", pause))
        return self.late

    def failover(self, error: BaseException, pause: float) -> None:
        self.calls.append(("failover", error, pause))

    def sleep(self, seconds: float) -> None:
        self.calls.append(("sleep", seconds))


def scripted(*steps: object) -> Callable[[], object]:
    left = list(steps)

    def attempt() -> object:
        step = left.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step

    return attempt


def test_a_success_asks_nothing() -> None:
    """A first attempt that works consults no policy."""
    policy = Policy()
    assert run_attempts(scripted("ok"), policy) == "ok"
    assert policy.calls == []


def test_none_is_a_result() -> None:
    """Any result ends the loop, also None."""
    assert run_attempts(scripted(None), Policy()) is None


def test_a_failure_is_asked_about_in_this_order() -> None:
    """May it be retried, how long to pause, is there time, tell, sleep: then the next attempt."""
    policy, error = Policy(), ValueError("x")
    assert run_attempts(scripted(error, "ok"), policy) == "ok"
    assert policy.calls == [("retryable", error), "pause", ("too_late", 1.5), ("failover", error, 1.5), ("sleep", 1.5)]


def test_what_is_not_retryable_is_raised_itself() -> None:
    """The very exception comes out, without a wrapper, and nobody sleeps."""
    policy, error = Policy(), KeyError("x")
    with pytest.raises(KeyError) as caught:
        run_attempts(scripted(error), policy)
    assert caught.value is error
    assert policy.calls == [("retryable", error)]


def test_too_late_raises_the_last_error_without_sleeping() -> None:
    """Where no time is left the error is raised now."""
    policy, error = Policy(late=True), ValueError("x")
    with pytest.raises(ValueError, match="x") as caught:
        run_attempts(scripted(error), policy)
    assert caught.value is error
    assert not any(call[0] == "sleep" for call in policy.calls if isinstance(call, tuple))


def test_the_last_of_several_errors_is_raised() -> None:
    """When the policy gives up, the latest failure comes out."""
    last = ValueError("second")
    with pytest.raises(ValueError, match="second") as caught:
        run_attempts(scripted(ValueError("first"), last), Policy(retries=1))
    assert caught.value is last


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), GeneratorExit()])
def test_interrupts_pass_through(error: BaseException) -> None:
    """Ctrl-C inside an attempt is never retried."""
    with pytest.raises(type(error)):
        run_attempts(scripted(error, "never"), Policy())


def test_what_the_sleep_raises_ends_the_loop() -> None:
    """Closing the manager ends the pause by an exception."""

    class Closed(Policy):
        def sleep(self, seconds: float) -> None:
            raise RuntimeError("closed")

    with pytest.raises(RuntimeError, match="closed"):
        run_attempts(scripted(ValueError("x"), "never"), Closed())
