"""Rules of the WSGI application, without a socket; a referee of the protocol stands before it."""

import gzip
import json
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from flyllm.observability.prometheus import metrics_app
from tests.unit.fakes import FakeProvider, instance
from tests.unit.observability.metered import metered

PAGES = ("/metrics", "/dashboard", "/health")


class Answer:
    """What came back."""

    def __init__(
        self, app: Callable[..., Any], path: str, method: str = "GET", script: str = "", **headers: str
    ) -> None:
        environ = {"PATH_INFO": path, "SCRIPT_NAME": script, "REQUEST_METHOD": method, "QUERY_STRING": ""}
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        setup_testing_defaults(environ)
        body = validator(app)(environ, self._start)
        self.body = b"".join(body)
        body.close()  # type: ignore[attr-defined]

    def _start(self, status: str, headers: list[tuple[str, str]], *_: object) -> Any:
        self.status, self.headers = int(status[:3]), dict(headers)
        return lambda data: None


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry in which something was counted."""
    registry = CollectorRegistry()
    Counter("apples", "Counted.", registry=registry).inc(3)
    return registry


def test_metrics_are_what_is_in_the_registry_in_prometheus_format(registry: CollectorRegistry) -> None:
    """Its own parser reads it."""
    answer = Answer(metrics_app(registry), "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    assert families["apples"].samples[0].value == 3


def test_without_a_registry_it_is_prometheus_clients_own() -> None:
    """Which has what other libraries count as well."""
    assert b"python_info" in Answer(metrics_app(), "/metrics").body
    assert REGISTRY.get_sample_value("python_info") is None  # it has labels


def test_an_empty_registry_is_not_taken_for_none() -> None:
    """It is the user's own."""
    assert Answer(metrics_app(CollectorRegistry()), "/metrics").body == b""


def test_whoever_takes_gzip_gets_it(registry: CollectorRegistry) -> None:
    """Prometheus does."""
    answer = Answer(metrics_app(registry), "/metrics", accept_encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"apples_total 3.0" in gzip.decompress(answer.body)


def test_whoever_takes_openmetrics_gets_it(registry: CollectorRegistry) -> None:
    """Prometheus asks for it first."""
    answer = Answer(metrics_app(registry), "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.body.endswith(b"# EOF\n")


def test_the_dashboard_is_the_file_of_the_package() -> None:
    """Ready to be imported by Grafana."""
    answer = Answer(metrics_app(CollectorRegistry()), "/dashboard")
    assert answer.headers["Content-Type"] == "application/json"
    file = resources.files("flyllm.observability.prometheus").joinpath("dashboard.json")
    assert json.loads(answer.body) == json.loads(file.read_text())


def test_health_says_ok() -> None:
    """And nothing more."""
    answer = Answer(metrics_app(CollectorRegistry()), "/health")
    assert (answer.status, answer.body) == (200, b"OK")


@pytest.mark.parametrize("path", PAGES)
def test_head_says_the_same_without_a_body(path: str, registry: CollectorRegistry) -> None:
    """As monitors ask."""
    answer = Answer(metrics_app(registry), path, "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"] == Answer(metrics_app(registry), path).headers["Content-Type"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(method: str, path: str) -> None:
    """Nothing here can be changed."""
    answer = Answer(metrics_app(CollectorRegistry()), path, method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["", "/", "/metric", "/metrics/x", "/a/metrics", "/favicon.ico"])
def test_other_paths_are_not_found(path: str) -> None:
    """And told what there is."""
    answer = Answer(metrics_app(CollectorRegistry()), path)
    assert answer.status == 404
    assert b"/metrics, /dashboard, /health" in answer.body


@pytest.mark.parametrize(("script", "path"), [("/metrics", ""), ("/internal/metrics", "/"), ("/internal", "/metrics/")])
def test_it_may_be_mounted_anywhere(script: str, path: str, registry: CollectorRegistry) -> None:
    """Under the name of a page it is that page."""
    assert b"apples_total" in Answer(metrics_app(registry), path, script=script).body


def test_the_metrics_are_named_as_documented() -> None:
    """Names, labels and kinds: dashboards and rules are written against them."""
    m = metered(instance(0, FakeProvider()))
    m.core.run()
    m.observer._place(0, "", "", "")._families.cost.labels("a", "b", "c")
    text = Answer(metrics_app(m.registry), "/metrics").body.decode()
    kinds, labels = {}, {}
    for family in text_string_to_metric_families(text):
        if not family.name.endswith("_created"):
            name = family.name + ("_total" if family.type == "counter" else "")
            kinds[name] = family.type
            labels[name] = {frozenset(sample.labels) - {"le"} for sample in family.samples}
    assert {name: (kinds[name], *found) for name, found in labels.items()} == {
        name: (kind, frozenset(names.split())) for name, (kind, names) in TABLE.items()
    }


def test_the_page_on_metrics_has_them_all() -> None:
    """With their labels."""
    rows = re.findall(r"^\| `(llm_\w+)` \| ([^|]*) \| (\w+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name: (kind, labels.replace(",", "").strip()) for name, labels, kind in rows} == TABLE


PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"

TABLE = {
    "llm_requests_total": ("counter", "instance provider model task status"),
    "llm_request_duration_seconds": ("histogram", "provider model task"),
    "llm_attempts_total": ("counter", "instance provider model outcome"),
    "llm_attempt_duration_seconds": ("histogram", "instance provider model"),
    "llm_tokens_prompt_total": ("counter", "instance provider model"),
    "llm_tokens_completion_total": ("counter", "instance provider model"),
    "llm_tokens_cached_total": ("counter", "instance provider model"),
    "llm_tokens_reasoning_total": ("counter", "instance provider model"),
    "llm_errors_total": ("counter", "instance provider model error_type"),
    "llm_retries_total": ("counter", "instance provider"),
    "llm_failovers_total": ("counter", "instance provider"),
    "llm_hedges_total": ("counter", "instance provider"),
    "llm_rate_limits_total": ("counter", "instance provider"),
    "llm_time_to_first_token_seconds": ("histogram", "provider model"),
    "llm_slot_wait_seconds": ("histogram", "provider model"),
    "llm_cost_total": ("counter", "instance provider model"),
    "llm_in_flight": ("gauge", "instance provider model"),
    "llm_concurrency_ceiling": ("gauge", "instance provider model"),
    "llm_cooldown_until_timestamp_seconds": ("gauge", "instance provider model"),
    "llm_breaker_state": ("gauge", "instance provider model state"),
    "llm_provider_healthy": ("gauge", "instance provider model"),
    "llm_queue_length": ("gauge", ""),
    "llm_retry_budget_tokens": ("gauge", ""),
}
