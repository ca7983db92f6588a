"""The managers whose gauges are shown: those that are neither closed nor gone."""

import weakref
from typing import Protocol

from flyllm._clock import SystemClock
from flyllm._fork import after_fork
from flyllm.observability.prometheus.forks import counting
from flyllm.observability.prometheus.gauges import Values, combined
from flyllm.observability.prometheus.reading import PoolSnapshot


class Source(Protocol):
    """Who can tell of one manager."""

    def read(self) -> PoolSnapshot:
        """Return it as it is now."""


_clock = SystemClock()


class Sources:
    """A set that keeps none of its members alive. A forked child begins with an empty one."""

    def __init__(self) -> None:
        self._members: weakref.WeakSet[Source] = weakref.WeakSet()
        after_fork(self, Sources._let_go)

    def add(self, source: Source) -> None:
        """Show it from now on."""
        with counting:
            self._members.add(source)

    def discard(self, source: Source) -> None:
        """Show it no longer."""
        with counting:
            self._members.discard(source)

    def values(self) -> Values:
        """Return the gauges of all together."""
        with counting:
            members = list(self._members)
        return combined([source.read() for source in members], _clock.wall())

    def _let_go(self) -> None:
        self._members = weakref.WeakSet()
