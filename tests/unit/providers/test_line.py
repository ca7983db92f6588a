"""An exchange ends in time, or when it is cut, and touches a socket only while that is its own."""

import pytest

from flyllm._scope import CalledOff, Scope
from flyllm.errors import RequestError
from flyllm.providers.line import Line


class Socket:
    def __init__(self) -> None:
        self.interrupted = 0

    def interrupt(self) -> None:
        self.interrupted += 1


def test_an_operation_gets_what_is_left_of_the_exchange() -> None:
    """Never more than the library's own timeout."""
    line = Line(100.0)
    left = line.patience(500.0)
    assert left is not None
    assert 90.0 < left <= 100.0
    assert line.patience(3.0) == 3.0


def test_an_exchange_without_a_limit_has_the_librarys() -> None:
    """None is for ever."""
    assert Line().patience(None) is None
    assert Line().patience(5.0) == 5.0


@pytest.mark.parametrize("sent", [False, True])
def test_without_time_left_it_fails_as_a_timeout(sent: bool) -> None:
    """And says whether the request can have arrived."""
    line = Line(-1.0)
    line.sent = sent
    with pytest.raises(RequestError, match="no answer within the attempt's -1 s") as caught:
        line.patience(5.0)
    assert caught.value.sent is sent


def test_a_new_limit_replaces_the_old_one() -> None:
    """A stream's headers have the attempt's timeout, its body the request's."""
    line = Line(-1.0)
    line.limit(50.0)
    assert line.patience(10.0) == 10.0


def test_cutting_interrupts_the_socket_and_every_later_operation() -> None:
    """With the first error, however often it is cut."""
    line, socket = Line(10.0), Socket()
    line.hold(socket)
    line.cut(KeyError("first"))
    line.cut(KeyError("second"))
    assert socket.interrupted == 2
    with pytest.raises(KeyError, match="first"):
        line.patience(None)


def test_a_released_socket_is_left_alone() -> None:
    """It may already serve another exchange."""
    line, socket = Line(10.0), Socket()
    line.hold(socket)
    line.release()
    line.cut(KeyError("late"))
    assert socket.interrupted == 0
    line.check()


def test_scopes_of_the_thread_cut_it_until_it_is_released() -> None:
    """All of them."""
    outer, inner, line = Scope(), Scope(), Line(10.0)
    with outer, inner:
        line.enter()
    outer.call_off()
    with pytest.raises(CalledOff):
        line.check()
    other = Line(10.0)
    with inner:
        other.enter()
    other.release()
    inner.call_off()
    other.check()


def test_it_does_not_begin_in_a_scope_that_is_called_off() -> None:
    """Nothing would be waiting for it."""
    scope = Scope()
    scope.call_off()
    with scope, pytest.raises(CalledOff):
        Line(10.0).enter()
