"""Hedging over real sockets: two attempts side by side, one answer, and nothing left behind by the other."""

import threading
import time
from collections.abc import Iterator

import pytest

from flyllm import ManagerClosedError
from flyllm.testing import Fault, StreamFault
from tests.contract.fault_matrix.world import World

HANG = 20.0


@pytest.fixture(params=["generate", "stream", "batch"])
def way(request: pytest.FixtureRequest) -> str:
    made: str = request.param
    return made


@pytest.fixture
def world() -> Iterator[World]:
    """Two instances, the second one for when the first cannot; enough answers for a budget and a usual time."""
    # At this speed an attempt may take an eighth of a second before it is slow, on a busy machine too.
    with World(2, speed=8.0, only={1: {"priority": 1}}, max_retries=2) as made:
        made.send("generate", 40, workers=2)
        assert made.servers[1].count == 0
        yield made


def unusual(world: World) -> float:
    """Real seconds at the first instance that are twice too long to wait for."""
    delay = world.manager._runtime.pool.hedge_delay(0)
    assert delay is not None
    return 2 * delay / world.clock.speed


def outcomes(result: object) -> list[tuple[str, str]]:
    return [(attempt.outcome, attempt.chosen_because) for attempt in result.attempts]  # type: ignore[attr-defined]


def test_a_slow_attempt_is_outrun_by_a_second_one(world: World, way: str) -> None:
    """The answer is the second one's; the first one's connection is cut at once, and it is no failure."""
    world.servers[0].enqueue(Fault.SILENCE)
    (result,) = world.send(way, hedge=True)
    assert result.ok
    assert outcomes(result) == [("outrun", "lru"), ("success", "hedge")]
    assert (world.servers[0].count, world.servers[1].count) == (41, 1)
    assert world.servers[0].wait_for(lambda server: server.in_flight == 0)
    slow = world.manager.instances[0]
    assert (slow.health, slow.failures, slow.in_flight) == ("closed", 0, 0)
    assert slow.latency is not None and slow.latency >= 1.0  # noqa: PT018


def test_one_that_answers_in_time_is_left_alone(world: World, way: str) -> None:
    """No second attempt, and no thread that would make one stays."""
    (result,) = world.send(way, hedge=True)
    assert outcomes(result) == [("success", "lru")]
    assert world.servers[1].count == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "flyllm-hedge"]


def test_without_being_asked_for_nothing_is_sent_twice(world: World, way: str) -> None:
    """A slow answer is waited for."""
    world.servers[0].set(latency=unusual(world))
    (result,) = world.send(way)
    assert outcomes(result) == [("success", "lru")]
    assert world.wire == 41


def test_the_first_one_may_still_win(world: World, way: str) -> None:
    """Then the second is cut, and counts as slow."""
    world.servers[0].set(latency=unusual(world))
    world.servers[1].always(Fault.SILENCE)
    (result,) = world.send(way, hedge=True)
    assert result.ok
    assert outcomes(result) == [("success", "lru"), ("outrun", "hedge")]
    assert world.manager.instances[1].failures == 0
    assert world.servers[1].wait_for(lambda server: server.in_flight == 0)


def test_where_the_first_one_fails_the_second_is_waited_for(world: World, way: str) -> None:
    """It is already under way: a third would only cost."""
    world.servers[0].enqueue(500, latency=unusual(world))
    world.servers[1].set(latency=2 * unusual(world))
    (result,) = world.send(way, hedge=True)
    assert result.ok
    assert outcomes(result) == [("ServerError", "lru"), ("success", "hedge")]


def test_where_both_fail_the_request_goes_on_as_ever(world: World, way: str) -> None:
    """Both are written down, and another attempt brings the answer."""
    world.servers[0].enqueue(500, latency=unusual(world))
    world.servers[1].enqueue(500)
    (result,) = world.send(way, hedge=True)
    assert result.ok
    assert sorted(outcome for outcome, _ in outcomes(result)[:2]) == ["ServerError", "ServerError"]
    assert len(outcomes(result)) == 3


def test_there_is_one_for_twenty_answers(world: World) -> None:
    """The budget: forty answers are two hedges, the third slow answer is waited for."""
    world.servers[0].set(latency=unusual(world))
    world.send("generate", 3, workers=3, hedge=True)
    assert sorted(len(outcomes(result)) for result in world.results[40:]) == [1, 2, 2]


def test_before_twenty_answers_there_is_none(way: str) -> None:
    """Nothing is known of the instances yet."""
    with World(2) as world:
        for server in world.servers:
            server.set(latency=0.1)
        world.send(way, 2, hedge=True)
        assert world.wire == 2


def test_where_no_other_place_is_free_there_is_none() -> None:
    """A hedge takes nobody's place."""
    with World(1) as world:
        world.send("generate", 40)
        world.servers[0].set(latency=unusual(world))
        world.send("generate", hedge=True)
        assert world.wire == 41


def test_a_stream_is_only_hedged_before_its_first_content(world: World) -> None:
    """What stalls later is interrupted as ever; no other answer can be put in its place."""
    world.servers[0].enqueue(StreamFault("close", after=2))
    (result,) = world.send("stream", hedge=True)
    assert result.error is not None
    assert world.servers[1].count == 0


def test_closing_ends_both(world: World) -> None:
    """And the request fails with that, not with what the cut looked like."""
    for server in world.servers:
        server.always(Fault.SILENCE)
    closer = threading.Thread(
        target=lambda: (
            world.servers[1].wait_for(lambda server: server.in_flight == 1, HANG),
            world.manager.close(grace=0),
        )
    )
    closer.start()
    began = time.monotonic()
    (result,) = world.send("generate", hedge=True)
    closer.join(HANG)
    assert isinstance(result.error, ManagerClosedError)
    assert time.monotonic() - began < HANG
