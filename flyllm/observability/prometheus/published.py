"""Gauges of one process among several, written to the files that are added up in whichever process is scraped.

A process does not know when another one is scraped, so it writes what has changed: at once after an event, then every
quarter of a second while events come, and once more when they have ceased. Without events there is no thread.
"""

import logging
import threading

from prometheus_client import Gauge

from flyllm._fork import after_fork
from flyllm.observability.prometheus.forks import counting
from flyllm.observability.prometheus.gauges import GAUGES, NEUTRAL, GaugeRow, Labels
from flyllm.observability.prometheus.sources import Source, Sources

logger = logging.getLogger("flyllm.metrics")

INTERVAL = 0.25
"""Seconds between two writings at least."""

_QUIET = 1.0
"""Seconds without an event after which the thread ends."""


class PublishedGauges:
    """The gauges of this process. What was written cannot be taken back, only made to change nothing for the others."""

    def __init__(self) -> None:
        self._gauges = {row: _gauge(row) for row in GAUGES}
        self._sources = Sources()
        self._failed = False
        self._begin()
        after_fork(self, PublishedGauges._begin)

    def add(self, source: Source) -> None:
        """Publish a manager's gauges from its next event on."""
        self._sources.add(source)

    def discard(self, source: Source) -> None:
        """Publish them no longer."""
        self._sources.discard(source)
        self._publish()

    def touch(self) -> None:
        """Have them written soon: something has happened."""
        if not self._stale.is_set():
            self._stale.set()
            self._start()

    def _begin(self) -> None:
        """Begin anew, in a forked child with files of its own."""
        self._writing = threading.Lock()  # guards _written, and is held while the files are written: in turn
        self._written: dict[tuple[GaugeRow, Labels], float] = {}
        self._stale = threading.Event()
        self._busy = threading.Lock()  # held by the thread from its start to its end, so that there is one at most

    def _start(self) -> None:
        if not self._busy.acquire(blocking=False):
            return
        try:
            threading.Thread(target=self._work, name="flyllm-metrics", daemon=True).start()
        except (RuntimeError, MemoryError):  # no thread is to be had, or the interpreter is ending
            self._stale.clear()
            self._busy.release()

    def _work(self) -> None:
        pause = threading.Event()
        try:
            while self._stale.wait(_QUIET):
                self._stale.clear()
                self._publish()
                pause.wait(INTERVAL)
            self._publish()
        finally:
            self._rest()

    def _rest(self) -> None:
        self._busy.release()
        if self._stale.is_set():  # since the last look, by a thread that took this one to be at work
            self._start()

    def _publish(self) -> None:
        try:
            with self._writing:
                self._write()
        except OSError as error:
            if not self._failed:
                logger.warning("gauges cannot be written: %s; requests go on without", error)
            self._failed = True

    def _write(self) -> None:
        values = self._sources.values()
        wanted = {key: NEUTRAL[key[0].mode] for key in self._written}
        wanted |= {(row, labels): value for row in GAUGES for labels, value in values[row.name].items()}
        for (row, labels), value in wanted.items():
            if self._written.get((row, labels)) != value:
                with counting:
                    gauge = self._gauges[row]
                    (gauge.labels(*labels) if labels else gauge).set(value)
                self._written[row, labels] = value


def _gauge(row: GaugeRow) -> Gauge:
    return Gauge(row.name, row.text, row.labels, registry=None, multiprocess_mode=row.mode)
