"""Running many threads at one moment, with every interpreter switch an opportunity for a race."""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

HANG = 30.0
"""Seconds after which a thread is taken to hang; no test waits so long otherwise."""


@contextmanager
def restless() -> Iterator[None]:
    """Let the interpreter switch threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def together(functions: Iterable[Callable[[], object]]) -> None:
    """Run each function on a thread of its own, begun at the same moment; raise the first exception."""
    work = list(functions)
    barrier, errors = threading.Barrier(len(work)), []

    def run(function: Callable[[], object]) -> None:
        try:
            barrier.wait(HANG)
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,), daemon=True) for function in work]
    with restless():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANG)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    if errors:
        raise errors[0]


def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds."""
    pause = threading.Event()
    for _ in range(int(HANG / 0.001)):
        if condition():
            return
        pause.wait(0.001)
    raise AssertionError("the condition never held")
