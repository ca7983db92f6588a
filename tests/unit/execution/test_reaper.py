"""Rules of the reaper."""

import gc
import logging
import threading

import pytest

from flyllm._execution.reaper import Reaper


def reapers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "flyllm-reaper"}


@pytest.fixture(autouse=True)
def _no_thread_left() -> "object":
    before = reapers()
    yield
    for thread in reapers() - before:
        thread.join(20)
        assert not thread.is_alive()


def test_no_thread_runs_before_it_is_needed() -> None:
    """A manager that never streams has no reaper thread."""
    before = reapers()
    Reaper()
    assert reapers() <= before


def test_start_is_idempotent_and_the_thread_a_daemon() -> None:
    """However often streams are opened, one thread serves them, and it does not hold the exit of the process."""
    reaper, before = Reaper(), reapers()
    for _ in range(3):
        reaper.start()
    (thread,) = reapers() - before
    assert thread.daemon
    reaper.stop()


def test_work_is_done_in_order_and_before_the_stop() -> None:
    """What was queued before `stop()` is still done."""
    reaper, done, finished = Reaper(), [], threading.Event()
    reaper.start()
    for number in range(5):
        reaper.soon(lambda number=number: done.append(number))
    reaper.soon(finished.set)
    reaper.stop()
    assert finished.wait(20)
    assert done == [0, 1, 2, 3, 4]


def test_work_that_fails_is_logged_and_the_rest_done(caplog: pytest.LogCaptureFixture) -> None:
    """One stream that cannot be released does not keep the others."""
    reaper, finished = Reaper(), threading.Event()

    def fail() -> None:
        raise ValueError("x")

    with caplog.at_level(logging.ERROR, "flyllm.streams"):
        reaper.start()
        reaper.soon(fail)
        reaper.soon(finished.set)
        assert finished.wait(20)
    reaper.stop()
    assert [record.getMessage() for record in caplog.records] == ["a dropped stream could not be released"]


def test_it_can_be_started_again() -> None:
    """After a stop, streams get a new thread."""
    reaper, finished = Reaper(), threading.Event()
    reaper.start()
    reaper.stop()
    reaper.start()
    reaper.soon(finished.set)
    assert finished.wait(20)
    reaper.stop()


def test_a_dropped_reaper_ends_its_thread() -> None:
    """A manager that is dropped without `close()` leaves no thread behind."""
    reaper = Reaper()
    before = reapers()
    reaper.start()
    (thread,) = reapers() - before
    del reaper
    gc.collect()
    thread.join(20)
    assert not thread.is_alive()
