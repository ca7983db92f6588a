"""The bench's clock runs faster than time, in all that flyllm asks of a clock."""

import inspect
import threading
import time

import pytest

from benchmarks.goodput.clock import ScaledClock
from flyllm._clock import Clock


def test_every_method_of_a_clock_that_knows_seconds_is_rescaled():
    asked = {name for name, _ in inspect.getmembers(Clock, inspect.isfunction) if not name.startswith("_")}
    assert asked - {"uniform", "subscribe"} <= set(vars(ScaledClock))


def test_its_seconds_pass_faster():
    clock = ScaledClock(1000.0, seed=1)
    before, began = clock.monotonic(), time.monotonic()
    while (passed := time.monotonic() - began) < 0.002:
        pass
    assert clock.monotonic() - before >= 1000.0 * passed


def test_it_waits_for_its_own_seconds():
    clock, began = ScaledClock(1000.0, seed=1), time.monotonic()
    assert not clock.wait(threading.Event(), 20.0)
    assert 0.02 <= time.monotonic() - began < 5.0


def test_it_can_be_advanced():
    clock = ScaledClock(1.0, seed=1)
    before = clock.monotonic()
    clock.advance(3600.0)
    assert clock.monotonic() - before >= 3600.0


def test_chance_follows_from_the_seed():
    assert ScaledClock(1.0, seed=7).uniform(0, 1) == pytest.approx(ScaledClock(1.0, seed=7).uniform(0, 1))
