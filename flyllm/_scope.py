"""What a thread works for, so that it can be called off from another one: a manager's calls, a batch.

The way of a request leads through an SDK, which hands nothing through; so a thread carries its scopes with it.
Whatever it then does that may take long, joins them: an HTTP exchange is cut, a wait ends within a slice.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol


class CalledOff(BaseException):
    """Ends the work of a thread that nobody waits for any more. No `Exception`: nothing shall retry or report it."""


class Work(Protocol):
    """Something that takes long."""

    def cut(self, error: BaseException) -> None:
        """End it with `error` in its own thread; called from any thread, without effect once it has ended."""


class _Local(threading.local):
    scopes: "tuple[Scope, ...]" = ()


_local = _Local()


def scopes() -> "tuple[Scope, ...]":
    """Return the scopes this thread is in, the outermost first."""
    return _local.scopes


@contextmanager
def entered(around: "tuple[Scope, ...]") -> Iterator[None]:
    """Put this thread into scopes of another one, for which it works."""
    before, _local.scopes = _local.scopes, around
    try:
        yield
    finally:
        _local.scopes = before


def raise_if_called_off() -> None:
    """Raise the error of a scope of this thread that has been called off."""
    for scope in _local.scopes:
        scope.check()


class Scope:
    """Work of any threads that is called off together; a context manager that puts the thread in it.

    Args:
        error: makes the error that ends a piece of work.
    """

    def __init__(self, error: Callable[[], BaseException] = CalledOff) -> None:
        self._error = error
        self._lock = threading.Lock()  # guards _work and _called_off; nothing is cut under it
        self._work: dict[Work, None] = {}  # in the order of joining
        self._called_off = False

    def __enter__(self) -> None:
        _local.scopes = (*_local.scopes, self)

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        _local.scopes = _local.scopes[:-1]

    def check(self) -> None:
        """Raise if this scope has been called off."""
        if self._called_off:
            raise self._error()

    def join(self, work: Work) -> None:
        """Have `work` cut when this scope is called off; raise if it has been."""
        with self._lock:
            self._work[work] = None
        self.check()

    def leave(self, work: Work) -> None:
        """Forget `work`, which has ended."""
        with self._lock:
            self._work.pop(work, None)

    def call_off(self) -> None:
        """End all that is under way in this scope, and whatever begins in it later."""
        with self._lock:
            self._called_off = True
            work = list(self._work)
        for each in work:
            each.cut(self._error())
