"""One HTTP exchange: until when it may last, the socket it holds meanwhile, and how any thread can end it.

An HTTP library's timeouts are per socket operation: an answer that trickles never times out (encode/httpx#1450). Here
every operation gets at most what is left of the whole, so that no other thread need watch. Another thread is needed
only to end an exchange early: it shuts the socket down, which ends a blocked operation at once, plain or TLS.
"""

import math
import threading
from typing import Protocol

from flyllm._clock import SystemClock
from flyllm._scope import Scope, scopes
from flyllm.errors import RequestError

_now = SystemClock.monotonic


class Interruptible(Protocol):
    """What an exchange goes over."""

    def interrupt(self) -> None:
        """End the operation under way and all later ones; any thread, never waits."""


class Line:
    """An exchange of at most `seconds`, waiting for a connection included; None is no limit.

    Owned by the thread that is at it, which also keeps `head`, the bytes that came before the headers were complete,
    `sent`, whether anything has been written, and `reused`, whether the connection served others before. Any thread
    may `cut`.
    """

    __slots__ = ("_ends", "_error", "_lock", "_open", "_scopes", "_seconds", "_stream", "head", "reused", "sent")

    def __init__(self, seconds: float | None = None) -> None:
        # Guards _error, _open and _stream: a socket is interrupted only while it is this exchange's. A leaf.
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._open = True
        self._stream: Interruptible | None = None
        self._scopes: tuple[Scope, ...] = ()
        self.head: float = 0
        self.sent = self.reused = False
        self.limit(math.inf if seconds is None else seconds)

    def limit(self, seconds: float) -> None:
        """Let the exchange end `seconds` from now at the latest, and forget the limit it had."""
        self._seconds, self._ends = seconds, _now() + seconds

    def enter(self) -> None:
        """Let the scopes of this thread end this exchange; raise if one of them has been called off."""
        self._scopes = scopes()
        for scope in self._scopes:
            scope.join(self)

    def hold(self, stream: Interruptible) -> None:
        """Go over `stream` from now on."""
        with self._lock:
            if self._open:
                self._stream = stream

    def patience(self, timeout: float | None) -> float | None:
        """Return how long the next operation may take, `timeout` at most; raise if no time is left or it is cut."""
        self.check()
        left = self._ends - _now()
        if left <= 0.0:
            raise self.late()
        if timeout is not None and timeout < left:
            return timeout
        return left if left != math.inf else None

    def check(self) -> None:
        """Raise the error with which another thread has ended this exchange."""
        if self._error is not None:
            raise self._error

    def late(self) -> RequestError:
        """Return the error for an exchange that took too long."""
        return RequestError(f"no answer within the attempt's {round(self._seconds, 1):g} s", sent=self.sent)

    def answered(self) -> None:
        """Note that the headers are complete."""
        self.head = -math.inf  # what is added to it from now on does not count

    def cut(self, error: BaseException) -> None:
        """End the exchange with `error` in the thread that waits for it; without effect once it has ended."""
        with self._lock:
            if not self._open:
                return
            self._error = self._error or error
            if self._stream is not None:
                self._stream.interrupt()

    def release(self) -> None:
        """End: the socket may serve others from now on."""
        with self._lock:
            self._open, self._stream = False, None
        for scope in self._scopes:
            scope.leave(self)
        self._scopes = ()
