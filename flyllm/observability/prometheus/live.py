"""Gauges of one process: read when the registry is scraped, by whomever."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from flyllm.observability.prometheus.gauges import GAUGES, Values
from flyllm.observability.prometheus.sources import Source, Sources


class LiveGauges:
    """A collector. Nothing is kept between two scrapes, so what is closed or gone is not shown."""

    def __init__(self) -> None:
        self._sources = Sources()

    def add(self, source: Source) -> None:
        """Show a manager's gauges from now on."""
        self._sources.add(source)

    def discard(self, source: Source) -> None:
        """Show them no longer."""
        self._sources.discard(source)

    def touch(self) -> None:
        """Do nothing: the next scrape looks for itself."""

    def describe(self) -> Iterator[Metric]:
        """Yield the gauges without values: the registry wants to know their names."""
        yield from _families({})

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges as they are now."""
        yield from _families(self._sources.values())


def _families(values: Values) -> Iterator[Metric]:
    for row in GAUGES:
        family = GaugeMetricFamily(row.name, row.text, labels=row.labels)
        for labels, value in values.get(row.name, {}).items():
            family.add_metric(labels, value)
        yield family
