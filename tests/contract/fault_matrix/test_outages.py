"""Rows 17, 18 and 48 to 52: instances that fail for a while, one of them or all. How well, `make bench` measures."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Self

import pytest

from flyllm import LLMError
from flyllm.testing import Fault, SimulatedProvider
from tests.contract.fault_matrix.rows import row
from tests.contract.fault_matrix.world import STILL, World


@row(17)
def test_an_instance_that_always_fails_is_ejected(way: str) -> None:
    """After five failures, or as many as are under way, it is left alone; the others answer everything."""
    with World(3, speed=STILL) as world:
        world.servers[0].always(500)
        for server in world.servers[1:]:
            server.set(latency=0.01)
        world.send(way, 120, workers=6)
        assert not world.failures
        assert world.servers[0].count <= 5 + 6
        assert world.manager.instances[0].health == "open"


@row(17)
def test_an_instance_alone_that_always_fails_is_probed_rarely(way: str) -> None:
    """Requests wait for the probes of one of them instead of all trying in turn."""
    with World(1, speed=40.0, each={"max_concurrency": 4}, timeout=30.0) as world:
        world.servers[0].always(500)
        world.send(way, 12, workers=12, timeout=30.0)
        assert len(world.failures) == 12
        assert world.wire <= 10 + 4 + 12


@row(18)
@pytest.mark.parametrize("rate", [0.1, 0.2, 0.3, 0.5])
def test_uniform_errors_eject_nobody(way: str, rate: float) -> None:
    """Where all fail alike all go on serving: hardly more wires than errors force, hardly anything lost."""
    n = 90
    with World(3, speed=40.0) as world:
        for server in world.servers:
            server.set(error_rate=rate)
        world.send(way, n, workers=6)
        assert len(world.failures) <= 2 + 4 * n * rate**6  # by chance; without retries it were n * rate
        assert world.wire <= 1.15 * n / (1 - rate) + 12
        assert min(server.count for server in world.servers) >= 0.2 * world.wire


@row(48)
def test_a_slow_instance_is_used_less_and_again_when_it_recovers(way: str) -> None:
    """By lowest latency, ten times slower is a small share; some time constants later it has its share again."""
    with World(3, speed=1.0, strategy="lowest_latency") as world:
        # So slow that a busy machine does not make the others look alike.
        for server, latency in zip(world.servers, (0.5, 0.05, 0.05), strict=True):
            server.set(latency=latency)
        world.send(way, 90, workers=6)
        assert world.servers[0].count <= 18  # one for each worker before it is known; in turn it were 30
        world.servers[0].set(latency=0.05)
        assert any(_share_later(world, way, 30.0) >= 0.2 for _ in range(6))
        assert not world.failures


def _share_later(world: World, way: str, seconds: float) -> float:
    world.clock.skip(seconds)
    before = world.servers[0].count
    world.send(way, 30, workers=6)
    return (world.servers[0].count - before) / 30


@contextmanager
def flapping(server: SimulatedProvider, seconds: float) -> Iterator[list[float]]:
    """Take `server` down and up again in turn, for `seconds` each; yield the moments when it went down."""
    over, falls = threading.Event(), list[float]()

    def flap() -> None:
        while not over.is_set():
            falls.append(time.monotonic())
            server.down()
            over.wait(seconds)
            server.up()
            over.wait(seconds)

    thread = threading.Thread(target=flap, name="fault-matrix-flap")
    thread.start()
    try:
        yield falls
    finally:
        over.set()
        thread.join()


@row(49)
def test_a_flapping_instance_costs_nobody_an_answer(way: str) -> None:
    """Down 10 s, up 10 s: nothing is lost, it is tried rarely while it is down, and used while it is up."""
    with World(3, speed=20.0) as world:
        for server in world.servers:
            server.set(latency=0.01)
        with flapping(world.servers[0], 0.5) as falls:
            world.send(way, 320, workers=4)
        assert not world.failures
        refused = world.tries(0) - world.servers[0].count
        # Five in a row, three more under way, and the probes of 10 s. Never left alone, it would refuse 70 to 80.
        assert refused <= 14 * len(falls)
        used = world.servers[0].count
        world.until(way, lambda: world.servers[0].count >= used + 5)


class Outage:
    """All servers of a world fail for a minute of its clock from its beginning on, as a context manager.

    `next_look` is how many seconds after its end an instance was to be tried at the latest, by what was decided then.
    """

    def __init__(self, world: World, how: int | Fault | None) -> None:
        """Let every answer be `how`; None refuses connections."""
        self._world, self._servers, self._how = world, world.servers, how
        self._over_at = self.next_look = float("inf")
        self._timer = threading.Timer(60.0 / world.clock.speed, self._end)
        self._timer.name = "fault-matrix-outage"

    def __enter__(self) -> Self:
        for server in self._servers:
            server.down() if self._how is None else server.always(self._how)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()

    def _end(self) -> None:
        pool = self._world.manager._runtime.pool
        with pool._lock:
            states = pool._scheduler.states.values()
            self.next_look = min(s.breaker.ready_at(alone=True) for s in states) - self._world.clock.monotonic()
        for server in self._servers:
            server.set(error=None, status=None, fault=None).up()
        self._over_at = time.time()

    def lateness(self) -> float:
        """Return real seconds from the end to the first request that came after it."""
        over = self._over_at
        return min(r.time for server in self._servers for r in server.requests if r.time > over) - over


@row(50)
@pytest.mark.parametrize("how", [None, 500, Fault.SILENCE], ids=["refused", "500", "hangs"])
def test_a_total_outage_of_a_minute_loses_nothing(way: str, count: int, how: int | Fault | None) -> None:
    """All requests wait it out with a few probes among them, which find its end within 10 s; all are answered."""
    # An attempt takes 10 s at most where it hangs, which are real ones: time enough for the attempts that do not.
    speed, timeout = (25.0, 0.4) if how is Fault.SILENCE else (40.0, 180.0)
    # Threads that a busy machine is slow to start leave the first of them to meet all the failures it takes.
    settings: dict[str, Any] = {"default_attempt_timeout": timeout, "max_retries": 10}
    with World(count, speed=speed, each={"max_concurrency": 5}, **settings) as world:
        with Outage(world, how) as outage:
            world.send(way, 60, workers=60)
        assert not world.failures
        assert outage.next_look < 10.0
        assert outage.lateness() < 15.0 / speed + 3.0  # real seconds of a busy machine
        detection, probes, busy_machine = count * (10 + 5), count * (60 / 4), 50
        assert world.wire <= 60 + detection + probes + busy_machine  # 230 to 280 where no instance is left alone


@row(51)
def test_during_an_outage_deadlines_hold_and_wires_stay_few(way: str) -> None:
    """Requests that keep coming fail at their deadline with a typed error; only probes reach the providers."""
    with World(3, speed=10.0, each={"max_concurrency": 4}) as world:
        for server in world.servers:
            server.always(500)
        world.send(way, 60, workers=30, timeout=5.0)
        before, began = world.wire, world.clock.monotonic()
        late = _arrive(world, way, 150, over=1.0)
        seconds = world.clock.monotonic() - began
        assert all(isinstance(result.error, LLMError) for result in world.results)
        assert late < 5.0 / 10.0 + 20.0  # a busy machine; they would hang for minutes
        assert world.wire - before <= 12 + 3 * seconds / 4.0  # each 150 wires at least, were they sent


def _arrive(world: World, way: str, n: int, over: float) -> float:
    """Send `n` requests, one after the other has begun; return the longest that one took, in real seconds."""

    def one(number: int) -> float:
        time.sleep(number * over / n)
        began = time.monotonic()
        world.send(way, timeout=5.0)
        return time.monotonic() - began

    with ThreadPoolExecutor(n, thread_name_prefix="fault-matrix") as pool:
        return max(pool.map(one, range(n)))


@row(52)
@pytest.mark.parametrize("hours", [1, -1])
def test_a_jump_of_the_wall_clock_changes_nothing(
    way: str, count: int, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither deadlines nor cool-downs hang on the time of day: nothing expires, nothing is sent too early."""
    with World(count, speed=10.0) as world:
        world.servers[0].fail(429, retry_after=3)
        world.send(way, 1)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 3600 * hours)
        world.clock.wall = time.time  # type: ignore[method-assign]
        world.until(way, lambda: world.servers[0].count >= 2)
        assert world.gaps()[0] >= 3.0
        assert not world.failures
