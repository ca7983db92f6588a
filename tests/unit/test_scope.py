"""A scope calls off what threads do for it, and nothing else."""

import threading

import pytest

from flyllm._clock import SystemClock
from flyllm._scope import CalledOff, Scope, raise_if_called_off, scopes


class Work:
    def __init__(self) -> None:
        self.errors: list[BaseException] = []

    def cut(self, error: BaseException) -> None:
        self.errors.append(error)


def test_a_thread_is_in_the_scopes_it_entered() -> None:
    """Outermost first, and out of them again."""
    outer, inner = Scope(), Scope()
    with outer:
        with inner:
            assert scopes() == (outer, inner)
        assert scopes() == (outer,)
    assert scopes() == ()


def test_other_threads_are_not_in_it() -> None:
    """A scope is entered by each thread for itself."""
    seen: list[object] = []
    with Scope():
        thread = threading.Thread(target=lambda: seen.append(scopes()))
        thread.start()
        thread.join(20)
    assert seen == [()]


def test_calling_off_cuts_what_has_joined_and_not_left() -> None:
    """In the order of joining, each with an error of its own."""
    scope, first, second, gone = Scope(), Work(), Work(), Work()
    for work in (first, second, gone):
        scope.join(work)
    scope.leave(gone)
    scope.call_off()
    assert [type(error) for error in (*first.errors, *second.errors)] == [CalledOff, CalledOff]
    assert first.errors[0] is not second.errors[0]
    assert gone.errors == []


def test_nothing_begins_in_a_scope_that_is_called_off() -> None:
    """Joining and waiting raise the scope's error."""
    scope = Scope(lambda: RuntimeError("over"))
    scope.call_off()
    with pytest.raises(RuntimeError, match="over"):
        scope.join(Work())
    with scope, pytest.raises(RuntimeError, match="over"):
        raise_if_called_off()


def test_a_wait_ends_when_it_is_called_off() -> None:
    """Within a slice, however long it was to be."""
    scope, begun, ended = Scope(), threading.Event(), threading.Event()

    def wait() -> None:
        with scope:
            begun.set()
            with pytest.raises(CalledOff):
                SystemClock().wait(threading.Event(), 60.0)
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    assert begun.wait(20)
    scope.call_off()
    assert ended.wait(20)


def test_calling_off_passes_handlers_of_exceptions() -> None:
    """Nothing that catches `Exception`, an SDK say, keeps called off work alive."""
    assert not issubclass(CalledOff, Exception)
