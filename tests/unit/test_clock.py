"""Rules of the system clock."""

import math
import multiprocessing
import threading
import time

import pytest

from flyllm._clock import SystemClock
from tests.unit.fakes import ManualClock


def test_wait_returns_true_at_once_when_the_event_is_set() -> None:
    """A set event ends a wait without end."""
    event = threading.Event()
    event.set()
    assert SystemClock().wait(event, math.inf) is True


@pytest.mark.parametrize("timeout", [0.0, -1.0, 0.01])
def test_wait_ends_at_its_timeout(timeout: float) -> None:
    """A wait on an event that nobody sets ends after the timeout, negative ones at once."""
    begun = time.monotonic()
    assert SystemClock().wait(threading.Event(), timeout) is False
    assert timeout <= time.monotonic() - begun < 5


def test_wait_takes_lengths_that_a_lock_does_not() -> None:
    """A timeout beyond `threading.TIMEOUT_MAX` is no error."""
    event = threading.Event()
    timer = threading.Timer(0.01, event.set)
    timer.start()
    assert SystemClock().wait(event, 1e30) is True
    timer.join()


def test_every_clock_has_a_random_stream_of_its_own() -> None:
    """Two processes, or two clocks, do not jitter alike."""
    assert SystemClock().uniform(0, 1) != SystemClock().uniform(0, 1)


def test_uniform_stays_in_its_bounds() -> None:
    """A draw lies between low and high."""
    clock = SystemClock()
    assert all(2 <= clock.uniform(2, 3) <= 3 for _ in range(1000))


def _draw(clock: SystemClock, queue: "multiprocessing.Queue[float]") -> None:
    queue.put(clock.uniform(0, 1))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_draws_other_numbers() -> None:
    """Children forked from one process start random streams of their own."""
    clock = SystemClock()
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[float] = context.Queue()
    children = [context.Process(target=_draw, args=(clock, queue)) for _ in range(2)]
    for child in children:
        child.start()
    draws = {queue.get(timeout=20) for _ in children}
    for child in children:
        child.join(20)
    assert len(draws) == 2
    assert clock.uniform(0, 1) not in draws


def test_the_manual_clock_runs_its_agenda_in_order_while_it_waits() -> None:
    """The clock of the tests stops a wait at the moment its event is set."""
    clock, event, seen = ManualClock(), threading.Event(), []
    clock.at(2.0, lambda: seen.append("second"))
    clock.at(1.0, lambda: seen.append("first"))
    clock.at(3.0, event.set)
    assert clock.wait(event, math.inf)
    assert (seen, clock.now) == (["first", "second"], 1003.0)
