"""Counts what flyllm does, in a process of its own: `python -m tests.public.costs what arguments`; says JSON.

Operations, not seconds: they are the same on every machine. `test_costs.py` holds the bounds.
"""

import gc
import json
import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

PACKAGE = f"{os.sep}flyllm{os.sep}"
CALLS = 100


def modules(script: str, url: str) -> dict[str, int]:
    """Count the modules that `script` imports, `{url}` in it being the provider's."""
    before = set(sys.modules)
    exec(script.replace("{url}", url), {})
    added = set(sys.modules) - before
    return {"modules": len(added), "own": sum(name.partition(".")[0] == "flyllm" for name in added)}


class _Counted:
    """A lock that counts how often it was taken."""

    taken = 0

    def __init__(self, lock: Any) -> None:
        self._lock = lock

    def acquire(self, *args: Any, **options: Any) -> bool:
        _Counted.taken += 1
        return bool(self._lock.acquire(*args, **options))

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)


def _count_locks() -> None:
    """Have the locks that flyllm makes from now on counted."""

    def counted(make: Callable[[], Any]) -> Callable[[], Any]:
        def lock() -> Any:
            ours = PACKAGE in sys._getframe(1).f_code.co_filename
            return _Counted(make()) if ours else make()

        return lock

    threading.Lock, threading.RLock = counted(threading.Lock), counted(threading.RLock)  # type: ignore[misc,assignment]


def generate(provider: str, url: str) -> dict[str, float]:
    """Count what one `generate()` does, all the same after the first ones.

    Returns Python functions called (`own` of them flyllm's), locks taken by flyllm, blocks of memory that are left
    after the call, and objects of a call that only the garbage collector frees.
    """
    _count_locks()
    from flyllm import LLMManager

    with LLMManager.builder().add_instance(provider, "m", "k", endpoint=url).build() as manager:
        for _ in range(CALLS):
            manager.generate("Hi")
        gc.collect()
        gc.disable()
        called = {"calls": 0, "own": 0}

        def count(frame: FrameType, event: str, argument: object) -> None:
            if event == "call":
                called["calls"] += 1
                called["own"] += PACKAGE in frame.f_code.co_filename

        _Counted.taken, blocks = 0, sys.getallocatedblocks()
        for _ in range(CALLS):
            manager.generate("Hi")
        locks, cyclic = _Counted.taken, gc.collect()
        left = sys.getallocatedblocks() - blocks
        sys.setprofile(count)
        for _ in range(CALLS):
            manager.generate("Hi")
        sys.setprofile(None)
    found = {**called, "locks": locks, "blocks": left, "cyclic": cyclic}
    return {name: count / CALLS for name, count in found.items()}


WHAT: dict[str, Callable[[str, str], Any]] = {"modules": modules, "generate": generate}

if __name__ == "__main__":
    print(json.dumps(WHAT[sys.argv[1]](*sys.argv[2:])))
