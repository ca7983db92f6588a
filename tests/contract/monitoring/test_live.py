"""A real Prometheus scrapes a real manager: nothing on the dashboard is empty, no rule fails."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.contract.monitoring import files, server
from tests.contract.monitoring.app import INSTANCES, TASKS, App

pytestmark = server.needed

HANG = 30.0
"""Seconds after which what is missing is taken to be missing; it takes about ten, five of them Prometheus' own."""

CHOICES: Mapping[str, str] = {"provider": "openai", "model": "fast-model", "instance": "fast", "task": "chat"}

COUNTED = (
    *(f"llm_{what}_total" for what in ("requests", "attempts", "errors", "retries", "failovers", "hedges", "cost")),
    *(f"llm_tokens_{what}_total" for what in ("prompt", "completion", "cached", "reasoning")),
    *(f"llm_{what}_seconds_count" for what in ("request_duration", "attempt_duration", "time_to_first_token")),
    *("llm_rate_limits_total", "llm_slot_wait_seconds_count", "llm_in_flight", "llm_concurrency_ceiling"),
    *("llm_cooldown_until_timestamp_seconds", "llm_provider_healthy", "llm_retry_budget_tokens"),
    *('llm_requests_total{instance="", status="error"}', 'llm_breaker_state{state="open"}'),
)
"""What is above zero at some time in this run."""


def configured(app: App, folder: Path) -> Path:
    """Return a copy of prometheus.yml that scrapes `app`, in a hurry, as if it were two."""
    config = files.load(files.MONITORING / "prometheus.yml")
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(path) for path in files.RULES]
    port = app.metrics.port
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{port}", f"localhost:{port}"]}]
    path = folder / "prometheus.yml"
    path.write_text(json.dumps(config))  # every JSON is YAML
    return path


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[server.Prometheus]:
    """One that scrapes an application with something of everything."""
    with App() as app, app.busy(), server.Prometheus(configured(app, tmp_path), tmp_path) as running:
        yield running


def test_a_live_run_fills_the_dashboard_and_the_rules(prometheus: server.Prometheus) -> None:
    """One run for all of it: it takes seconds until there are rates of everything."""
    wanted = [files.Expression(where, files.substituted(text, files.ALL)) for where, text in files.shown()]
    wanted += [files.Expression(rule["record"], rule["record"]) for rule in files.rules("record")]
    wanted += [files.Expression(f"{name} ever", f"max_over_time({name}[1m]) > 0") for name in COUNTED]

    def seen() -> bool:
        wanted[:] = [each for each in wanted if not prometheus.values(each.text)]
        return not wanted

    prometheus.until(seen, HANG)
    assert wanted == [], "these have no data"
    heeds_choices(prometheus)
    evaluates_every_rule(prometheus)
    has_labels_as_given(prometheus)
    offers_choices(prometheus)


def heeds_choices(prometheus: server.Prometheus) -> None:
    """With one value of each variable chosen, every panel has an expression that Prometheus takes."""
    for shown in files.shown():
        prometheus.query(files.substituted(shown.text, {**files.ALL, **CHOICES}))
    for annotation in files.dashboard()["annotations"]["list"]:
        prometheus.query(annotation["expr"])


def evaluates_every_rule(prometheus: server.Prometheus) -> None:
    """Without an error, alerts included."""
    evaluated = prometheus.rules()
    assert len(evaluated) == len(files.rules("record")) + len(files.rules("alert"))
    assert [(rule["name"], rule.get("lastError")) for rule in evaluated if rule["health"] != "ok"] == []
    pending = {rule["name"] for rule in evaluated if rule.get("state") in ("pending", "firing")}
    assert "LLMInstanceDown" in pending, "one of the keys is revoked"
    assert "LLMAllInstancesDown" not in pending


def has_labels_as_given(prometheus: server.Prometheus) -> None:
    """The instance is flyllm's, not the address scraped, and two applications with the same names stay apart."""
    series = prometheus.query("llm_provider_healthy")
    assert {row["metric"]["instance"] for row in series} == set(INSTANCES)
    assert len({row["metric"]["app"] for row in series}) == 2
    assert len(series) == 2 * len(INSTANCES)
    assert not prometheus.query('{exported_instance!=""}')


def offers_choices(prometheus: server.Prometheus) -> None:
    """The queries that Grafana fills the drop-down lists with find what there is."""
    found = {}
    for variable in files.dashboard()["templating"]["list"][1:]:
        query = files.substituted(variable["query"]["query"], files.ALL)
        metric, label = query.removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
        found[variable["name"]] = {
            row["metric"].get(label) for row in prometheus.query(f"count by ({label}) ({metric})")
        }
    assert found["instance"] == set(INSTANCES)
    assert found["provider"] == set(INSTANCES.values())
    assert found["task"] == {*TASKS, "default", "unknown"}
