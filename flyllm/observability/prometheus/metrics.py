"""All metrics of one registry, made once however many managers use it.

Where there are several processes (`processes.py`) the metrics are made once in each and registered nowhere: what is in
the files is shown without, and would be twice.
"""

from weakref import WeakKeyDictionary

from prometheus_client import REGISTRY, CollectorRegistry

from flyllm.errors import ConfigError
from flyllm.observability.prometheus import processes
from flyllm.observability.prometheus.families import Families
from flyllm.observability.prometheus.forks import counting
from flyllm.observability.prometheus.live import LiveGauges
from flyllm.observability.prometheus.published import PublishedGauges


class Metrics:
    """Counters and histograms, and the gauges."""

    def __init__(self, gauges: LiveGauges | PublishedGauges) -> None:
        self.families, self.gauges = Families(), gauges


_of_registry: "WeakKeyDictionary[CollectorRegistry, Metrics]" = WeakKeyDictionary()
_of_process: Metrics | None = None


def metrics_of(registry: CollectorRegistry | None) -> Metrics:
    """Return the metrics of `registry`, None for prometheus_client's default one. Raises ConfigError where it cannot.

    With several processes, those of this process whatever the registry.
    """
    with counting:
        if processes.several():
            return _shared()
        registry = REGISTRY if registry is None else registry
        if registry not in _of_registry:
            _of_registry[registry] = _registered(registry)
        return _of_registry[registry]


def _shared() -> Metrics:
    global _of_process
    if _of_process is None:
        processes.folder()
        _of_process = Metrics(PublishedGauges())
    return _of_process


def _registered(registry: CollectorRegistry) -> Metrics:
    metrics = Metrics(gauges := LiveGauges())
    registered = []
    try:
        # The gauges first: reading them has the instances' other series begin at zero, in the same scrape.
        for collector in (gauges, *metrics.families.all()):
            registry.register(collector)
            registered.append(collector)
    except ValueError as error:
        for collector in registered:
            registry.unregister(collector)
        raise ConfigError(f"the metrics need a CollectorRegistry of their own: {error}") from None
    return metrics
