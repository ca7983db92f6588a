"""What the end of the process waits for, for a second at most: a disk that hangs must not keep it.

It is held here, as nobody else may hold it any more: a manager that went out of scope still has its files written.
"""

import atexit
import os
import sys
from typing import Protocol

from flyllm._clock import SystemClock

SECONDS = 1.0
"""For all together."""


class Closing(Protocol):
    """What can be closed within a time."""

    def end(self) -> None:
        """Begin to end what is under way."""

    def close(self, seconds: float) -> None:
        """End it, in at most `seconds`."""


_clock = SystemClock()
_held: set[Closing] = set()
_spent = 0.0
"""How much of `SECONDS` is gone: the process's end may come by more than once."""

_told: int | None = None
"""The id of the process whose multiprocessing knows."""


def hold(work: Closing) -> None:
    """Close `work` when the process ends, unless it is let go by then."""
    _held.add(work)
    _tell_multiprocessing()


def let_go(work: Closing) -> None:
    """Forget `work`."""
    _held.discard(work)


def come_first() -> None:
    """Have what is held closed before whatever has asked until now to be told of the process's end."""
    atexit.register(_close_all)


def _tell_multiprocessing() -> None:
    """Have its children wait as well: they end by `os._exit`, without atexit (cpython#83856)."""
    global _told
    # A child has it imported. Where this is None, or half imported by another thread, we are in none.
    parent = getattr(sys.modules.get("multiprocessing.process"), "parent_process", None)
    if _told != os.getpid() and parent is not None and parent() is not None:
        from multiprocessing.util import Finalize

        _told = os.getpid()
        Finalize(None, _close_all, exitpriority=0)


def _close_all() -> None:
    global _spent
    began, every = _clock.monotonic(), list(_held)
    until = began + SECONDS - _spent
    for work in every:
        work.end()
    for work in every:
        work.close(max(until - _clock.monotonic(), 0.0))
    _spent += _clock.monotonic() - began


# Now, not when there is something to hold: the process's end calls what was registered last first, and a manager that
# the application closes there is to be closed by then.
atexit.register(_close_all)
