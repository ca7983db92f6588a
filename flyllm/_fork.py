"""What a forked child must not share with its parent: every object that asks for it lets go there.

A lock may be held by a thread that the child does not have, and a socket delivers to whoever reads first.
"""

import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

imports = threading.RLock()
"""Held while an SDK is imported. No child is forked meanwhile: the import lock of a thread that it does not have would
never be released there."""

_holders: "weakref.WeakKeyDictionary[Any, Callable[[Any], None]]" = weakref.WeakKeyDictionary()


def after_fork(holder: T, let_go: Callable[[T], None]) -> None:
    """Have `let_go(holder)` called in every forked child, before anything else runs there, while `holder` is alive.

    It must touch nothing that is still the parent's, such as a connection or a lock.
    """
    _holders[holder] = let_go


def _in_child() -> None:
    for holder, let_go in list(_holders.items()):
        # An exception here would kill the worker that a server has just forked (langfuse#1658).
        with contextlib.suppress(Exception):
            let_go(holder)


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(before=imports.acquire, after_in_parent=imports.release, after_in_child=imports.release)
    os.register_at_fork(after_in_child=_in_child)
