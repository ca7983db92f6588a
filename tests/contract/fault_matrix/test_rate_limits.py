"""Rows 19 to 28: providers that ask for less, with a header or without."""

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from flyllm import RateLimitError
from flyllm.testing import Call, ErrorKind, Reply
from tests.contract.fault_matrix.invariants import echo
from tests.contract.fault_matrix.raw import LimitedServer
from tests.contract.fault_matrix.rows import row
from tests.contract.fault_matrix.world import STILL, World

# ---- a limit that is told


@row(19)
def test_nobody_goes_there_before_retry_after(way: str, count: int) -> None:
    """An instance that asked for 2 s gets no request of anybody for 2 s; the others serve meanwhile."""
    with World(count, speed=10.0) as world:
        world.servers[0].fail(429, retry_after=2)
        world.until(way, lambda: world.servers[0].count >= 2)
        assert world.gaps()[0] >= 2.0
        assert not world.failures
        assert world.wire == len(world.results) + 1


@row(19)
def test_a_request_goes_on_elsewhere_at_once(way: str) -> None:
    """Who meets a 429 where another instance is free does not wait at all."""
    with World(3, speed=STILL) as world:
        world.servers[0].always(429, retry_after=30)
        results = world.send(way, 6)
        assert not world.failures
        assert all(result.seconds < 20.0 for result in results)  # a busy machine; 30 s are fifty minutes here
        assert world.servers[0].count == 1


def _dated(hours: int, seconds: int) -> dict[str, str]:
    now = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    then = now + timedelta(seconds=seconds)
    return {"date": format_datetime(now, usegmt=True), "retry-after": format_datetime(then, usegmt=True)}


@row(20)
@pytest.mark.parametrize("hours", [1, -1])
def test_a_date_counts_from_the_providers_clock(way: str, count: int, hours: int) -> None:
    """A server whose clock is an hour off and that says "in 2 s" means 2 s."""
    with World(count, speed=10.0) as world:
        world.servers[0].fail(429, headers=_dated(hours, 2))
        world.until(way, lambda: world.servers[0].count >= 2)
        assert 2.0 <= world.gaps()[0] < 300.0
        assert not world.failures


@row(21)
def test_milliseconds_are_read(way: str, count: int) -> None:
    """`retry-after-ms: 350` is .35 s, not 350."""
    with World(count, speed=1.0) as world:
        world.servers[0].fail(429, headers={"retry-after-ms": "350"})
        if count == 1:
            (result,) = world.send(way)
            assert 0.35 <= result.seconds < 20.0
        else:
            world.until(way, lambda: world.servers[0].count >= 2)
        assert world.gaps()[0] >= 0.35
        assert not world.failures


@row(22)
def test_a_day_is_not_waited_for(way: str, count: int) -> None:
    """Others take over while the instance cools; alone, the error comes at once and says how long it takes."""
    with World(count, speed=1.0) as world:
        world.servers[0].always(429, retry_after=86400)
        results = world.send(way, 6)
        assert all(result.seconds < 20.0 for result in results)
        assert world.servers[0].count == 1
        assert bool(world.failures) == (count == 1)
        waits = [result.error.retry_after for result in world.failures if result.error is not None]
        assert all(wait is not None and wait > 250 for wait in waits)
        assert count == 3 or (isinstance(results[0].error, RateLimitError) and waits[0] == 86400)


@row(22)
def test_a_day_cools_for_five_minutes_at_most(way: str) -> None:
    """After 300 s somebody looks again: quotas are lifted early, too."""
    with World(3, speed=STILL) as world:
        world.servers[0].fail(429, retry_after=86400)
        world.send(way, 3)
        world.clock.skip(299.0)
        world.send(way, 3)
        assert world.servers[0].count == 1
        world.clock.skip(32.0)  # a tenth later at most
        world.send(way, 3)
        assert world.servers[0].count >= 2
        assert not world.failures


NONSENSE = ["-5", "NaN", "inf", "soon", "", "1, soon"]


@row(23)
@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_counts_as_absent(way: str, count: int, value: str) -> None:
    """What cannot be read as a time crashes nothing and is not waited for."""
    with World(count) as world:
        world.servers[0].fail(429, times=2, headers={"retry-after": value})
        world.send(way, 6)
        assert not world.failures
        assert world.wire <= 8


@row(23)
def test_of_two_headers_the_longer_wait_is_kept(way: str) -> None:
    """Nobody knows which of two is meant; the longer one obeys both."""
    with World(1, speed=10.0) as world:
        world.servers[0].fail(429, headers={"Retry-After": "2", "retry-after": "0.1"})
        world.send(way)
        assert not world.failures
        assert world.gaps()[0] >= 2.0


@row(23)
def test_a_429_without_end_is_no_busy_loop(way: str, count: int) -> None:
    """Refusals cost no retries, but a request makes twenty hops at most."""
    with World(count, speed=400.0, each={"max_concurrency": 2}) as world:
        for server in world.servers:
            server.always(429, headers={"retry-after": "NaN"})
        (result,) = world.send(way)
        assert isinstance(result.error, RateLimitError)
        assert world.wire <= 21


# ---- a limit that is not told


@row(24)
def test_a_storm_of_429_without_a_header_passes(way: str, count: int) -> None:
    """Refusals everywhere for a while: all requests wait and are answered, with a bounded number of wires."""
    with World(count) as world:
        for server in world.servers:
            server.fail(ErrorKind.RATE_LIMIT, times=5)
        world.send(way, 30, workers=10)
        assert not world.failures
        assert world.wire <= 30 + 5 * count


@row(24)
def test_a_storm_lowers_the_ceiling(way: str) -> None:
    """What an instance is given at once falls while it refuses."""
    with World(1) as world:
        world.servers[0].set(latency=0.01).fail(ErrorKind.RATE_LIMIT, times=8)
        before = world.manager.instances[0].max_concurrency
        world.send(way, 20, workers=10)
        assert world.manager.instances[0].max_concurrency < before
        assert not world.failures


@row(25)
@pytest.mark.parametrize("ceiling", [3, 10, 40])
def test_an_undeclared_ceiling_is_learned(way: str, ceiling: int) -> None:
    """After the first burst hardly anything is refused: the ceiling is known within a round trip."""
    n, workers = 8 * ceiling, min(64, 2 * ceiling)
    with LimitedServer(lambda busy, now: busy <= ceiling, latency=0.02) as server, World(server) as world:
        world.send(way, n, workers=workers)
        assert not world.failures
        assert server.peak <= ceiling
        assert server.refused <= (workers - ceiling) + 0.5 * n


@row(26)
def test_an_undeclared_rpm_that_charges_refusals_is_survived(way: str) -> None:
    """Two a second after a burst of ten, refusals counted as well: everything is answered at 1.7 wires each at most."""
    with LimitedServer(_bucket(40.0, 10.0), latency=0.01) as server, World(server) as world:
        world.send(way, 60, workers=8)
        assert not world.failures
        assert server.count <= 1.7 * 60


def _bucket(rate: float, burst: float) -> Callable[[int, float], bool]:
    """Return a token bucket that a refused request takes from as well, though never below nothing."""
    level, updated = burst, time.monotonic()

    def admits(_: int, now: float) -> bool:
        nonlocal level, updated
        level, updated = min(burst, level + (now - updated) * rate), now
        taken = level >= 1.0
        level -= 1.0 if taken else min(level, 0.25)
        return taken

    return admits


# ---- a limit that is declared

MINUTE = 2.0
"""Real seconds of a minute in a test with this limit."""

FAST = 60.0 / MINUTE


def _window(limit: int, seconds: float) -> Callable[[int, float], bool]:
    """Return a provider that takes `limit` requests in any `seconds`."""
    taken: deque[float] = deque()

    def admits(_: int, now: float) -> bool:
        while taken and taken[0] <= now - seconds:
            taken.popleft()
        if len(taken) >= limit:
            return False
        taken.append(now)
        return True

    return admits


def begun_in_time(world: World, limit: int) -> bool:
    """Whether every attempt but the first `limit` was begun a minute after the one so many before it.

    Judged by the ledger, and so that only pacing can be at fault, not a busy machine: an attempt's turn came after it
    was asked for, which in a burst is the same, and before its thread began it.
    """
    attempts: list[Any] = [attempt for result in world.results for attempt in result.attempts]
    begun = sorted(attempt.started * world.clock.speed for attempt in attempts)
    asked = sorted(attempt.started * world.clock.speed - attempt.waited for attempt in attempts)
    return all(later - earlier >= 0.95 * 60.0 for earlier, later in zip(asked, begun[limit:], strict=False))


@row(27)
def test_a_declared_rpm_is_never_exceeded(way: str) -> None:
    """A provider that counts requests in any 60 s refuses none, and the burst it allows is used."""
    # Half a minute: what sets out on time arrives late on a busy machine, by up to the other half.
    with LimitedServer(_window(60, MINUTE / 2)) as server, World(server, speed=FAST, each={"rpm": 60}) as world:
        world.send(way, 100, workers=8)
        assert not world.failures
        assert server.refused == 0
        assert begun_in_time(world, 60)
        attempts: list[Any] = [result.attempts[0] for result in world.results]
        assert sum(attempt.waited < 2.0 for attempt in attempts) >= 50  # evenly paced, nearly all wait four or more


@row(27)
def test_a_declared_rpm_is_paced_where_the_provider_slices_it(way: str) -> None:
    """A provider that takes no burst, but two requests a second, refuses some; then they come evenly."""
    second = 0.12
    admits = _window(5, 2 * second)  # one more than two a second, for those that threads delay
    with LimitedServer(admits) as server, World(server, speed=1 / second, each={"rpm": 120}) as world:
        world.send(way, 50, workers=8)
        assert not world.failures
        # Some arrive together on a busy machine. Without pacing 18 to 25 are refused, 10 to 15 of them late.
        assert server.refused <= 18
        assert sum(t > server.taken[0] + 5 * second for t in server.refusals) <= 7


@row(27)
def test_a_declared_tpm_is_kept(way: str) -> None:
    """Tokens of any 60 s stay within the declared number, once it is known what a request costs."""
    with World(1, speed=FAST, each={"tpm": 3000}) as world:
        world.servers[0].always(_costly)
        world.send(way, 50, workers=2)
        assert not world.failures
        assert begun_in_time(world, 33)


def _costly(call: Call) -> Reply:
    return Reply(echo(call.prompt), prompt_tokens=60, completion_tokens=40)


@row(28)
@pytest.mark.parametrize("provider", ["openai", "groq", "anthropic"])
def test_no_request_is_sent_when_none_remains(way: str, provider: str) -> None:
    """A success that says "none left for 1.5 s" is believed: the next request comes then."""
    with World(provider, speed=5.0) as world:
        world.servers[0].enqueue(echo("request-0000"), headers=_exhausted(provider, 1.5))
        world.send(way, 2)
        assert not world.failures
        assert world.wire == 2
        assert world.gaps()[0] >= 1.45


def _exhausted(provider: str, seconds: float) -> dict[str, str]:
    if provider != "anthropic":
        return {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": f"{seconds}s"}
    # Its reset is an instant; the reply's own date says from when.
    now = datetime.now(UTC).replace(microsecond=0)
    reset = (now + timedelta(seconds=2)).isoformat().replace("+00:00", "Z")
    return {
        "date": format_datetime(now, usegmt=True),
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": reset,
    }
