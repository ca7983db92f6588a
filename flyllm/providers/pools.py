"""Many small connection pools in place of a large one.

httpcore walks over all connections of a pool, twice for every request: what a
request costs grows with how many are under way. Pools of a few connections keep that flat.
"""

import threading
from collections.abc import Callable
from typing import Any

WIDTH = 8
"""Connections of one pool."""


class Pools:
    """So many `connections` in pools that `make` builds; it is called with the number of connections of one."""

    def __init__(self, make: Callable[[int], Any], connections: int) -> None:
        self._sizes = [min(WIDTH, connections - n) for n in range(0, connections, WIDTH)]
        self._pools = [make(size) for size in self._sizes]
        self._lock = threading.Lock()  # guards _busy; a leaf
        self._busy = [0] * len(self._pools)

    def enter(self) -> "Lane":
        """Return the first pool that has a connection free, so that those in use stay few and warm."""
        with self._lock:
            free = (n for n, busy in enumerate(self._busy) if busy < self._sizes[n])
            number = next(free, None)
            if number is None:  # one will be waited for, within the pool
                number = min(range(len(self._busy)), key=self._busy.__getitem__)
            self._busy[number] += 1
        return Lane(self, number)

    def pool(self, number: int) -> Any:
        """Return one of the pools."""
        return self._pools[number]

    def leave(self, number: int) -> None:
        """Count one request fewer at a pool."""
        with self._lock:
            self._busy[number] -= 1

    def close(self) -> None:
        """Close all connections, also those that are in use."""
        for pool in self._pools:
            pool.close()


class Lane:
    """One request's use of a pool."""

    __slots__ = ("_numbers", "_pools", "pool")

    def __init__(self, pools: Pools, number: int) -> None:
        self.pool = pools.pool(number)
        self._pools, self._numbers = pools, [number]

    def leave(self) -> None:
        """End it; a second time, also from another thread, does nothing."""
        try:
            number = self._numbers.pop()
        except IndexError:
            return
        self._pools.leave(number)
