"""Metrics for Prometheus: the only home of prometheus_client, imported where metrics are asked for.

observer    events become counts and durations
places      the series of one instance, looked up once
families    names, labels and buckets of all counters and histograms
gauges      what a manager is doing now: names, labels, and how several managers' values are put together
live        gauges read at the moment of a scrape
published   gauges written by each of several processes, since only one of them is scraped
metrics     all of the above for one registry
forks       what no child is forked in the middle of
exposition  the WSGI application: /metrics, /dashboard, /health
server      that application on a port of its own
"""

from flyllm.errors import MissingDependencyError

try:
    import prometheus_client  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingDependencyError('Metrics need prometheus-client: pip install "flyllm[metrics]"') from error

from flyllm.observability.prometheus.exposition import metrics_app
from flyllm.observability.prometheus.observer import PrometheusObserver
from flyllm.observability.prometheus.server import MetricsServer, start_metrics_server

__all__ = ["MetricsServer", "PrometheusObserver", "metrics_app", "start_metrics_server"]
