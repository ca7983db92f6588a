"""Rules of many small connection pools in place of a large one."""

import threading
from typing import Any

import pytest

from flyllm.providers.pools import WIDTH, Pools


class Pool:
    """A pool that only knows its size."""

    def __init__(self, size: int) -> None:
        self.size, self.closed = size, 0

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("connections", [1, WIDTH - 1, WIDTH, WIDTH + 1, 64, 100])
def test_together_they_have_so_many_connections(connections: int) -> None:
    made: list[Pool] = []
    Pools(lambda size: made.append(Pool(size)) or made[-1], connections)
    assert sum(pool.size for pool in made) == connections
    assert all(1 <= pool.size <= WIDTH for pool in made)


def test_one_after_the_other_uses_one_pool() -> None:
    """Its connections stay warm."""
    pools = Pools(Pool, 64)
    used = set()
    for _ in range(20):
        lane = pools.enter()
        used.add(lane.pool)
        lane.leave()
    assert len(used) == 1


def test_no_pool_has_more_requests_than_connections_while_another_is_free() -> None:
    pools = Pools(Pool, 20)
    lanes = [pools.enter() for _ in range(20)]
    by_pool: dict[Any, int] = {}
    for lane in lanes:
        by_pool[lane.pool] = by_pool.get(lane.pool, 0) + 1
    assert all(count == pool.size for pool, count in by_pool.items())
    lanes[13].leave()
    assert pools.enter().pool is lanes[13].pool


def test_where_all_are_busy_the_least_busy_waits() -> None:
    """The request waits for a connection in there, as in any pool."""
    pools = Pools(Pool, 2 * WIDTH)
    for _ in range(2 * WIDTH):
        pools.enter()
    assert pools.enter().pool is not pools.enter().pool


def test_leaving_twice_is_leaving_once() -> None:
    """The reader that finishes and a thread that closes may both come to it."""
    pools = Pools(Pool, WIDTH)
    lane, other = pools.enter(), pools.enter()
    threads = [threading.Thread(target=lane.leave) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert pools._busy == [1]
    other.leave()
    assert pools._busy == [0]


def test_closing_closes_all() -> None:
    made: list[Pool] = []
    Pools(lambda size: made.append(Pool(size)) or made[-1], 20).close()
    assert [pool.closed for pool in made] == [1, 1, 1]
