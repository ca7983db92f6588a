"""The dashboard as text: it is one that Grafana takes, and asks for what /metrics has. No Prometheus needed."""

import itertools
import urllib.request
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.contract.monitoring import files
from tests.contract.monitoring.app import App

ORIGINAL = {
    "Total Requests",
    "Total Tokens",
    "Total Errors",
    "Avg Latency",
    "Request Rate",
    "Request Latency (p50/p95)",
    "Token Usage",
    "Error Rate by Type",
    "Retry Rate",
    "Rate Limit Events",
    "Request Rate by Task",
}
"""The panels of the dashboard of FlyLLM for Rust."""

SERVERS = frozenset({"app", "job"})
"""Labels that prometheus.yml adds."""


@pytest.fixture(scope="module")
def exposed() -> Mapping[str, frozenset[str]]:
    """Names of the metrics in a text of /metrics, as their samples have them, with their labels."""
    with App() as app:
        app.manager.generate("Hi", task="urgent")
        with urllib.request.urlopen(f"{app.metrics.url}/metrics") as answer:
            text = answer.read().decode()
    found: dict[str, frozenset[str]] = {}
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        found[name] = frozenset(label for sample in family.samples for label in sample.labels) - {"le"}
    return {name: labels for name, labels in found.items() if not name.endswith("_created")}


def test_every_metric_is_on_a_panel(exposed: Mapping[str, frozenset[str]]) -> None:
    """What is counted can be seen."""
    asked = {files.family(name, exposed) for shown in files.shown() for name, _ in shown.metrics()}
    assert asked == set(exposed)


def test_the_rules_ask_for_metrics_that_there_are(exposed: Mapping[str, frozenset[str]]) -> None:
    """A rule over a name that is spelt wrongly is valid and never fires."""
    for kind in ("record", "alert"):
        for rule in files.rules(kind):
            for name, _ in files.Expression(rule[kind], rule["expr"]).metrics():
                known = files.family(name, exposed) in exposed
                assert known or any(name in other["record"] for other in files.rules("record")), (rule[kind], name)


def test_panels_use_labels_that_their_metrics_have(exposed: Mapping[str, frozenset[str]]) -> None:
    """Else they are empty as soon as somebody chooses a value."""
    for shown in files.shown():
        labels = [exposed[files.family(name, exposed)] | SERVERS for name, _ in shown.metrics()]
        for (name, matched), known in zip(shown.metrics(), labels, strict=True):
            assert matched <= known, (shown.where, name)
        assert shown.grouped_by() - {"le"} <= frozenset.intersection(*labels), shown.where


def test_panels_heed_every_choice_that_concerns_them(exposed: Mapping[str, frozenset[str]]) -> None:
    """Whoever chooses an instance sees nothing of the others on any panel that could tell them apart."""
    choices = {variable["name"] for variable in files.dashboard()["templating"]["list"]} - {"datasource"}
    assert choices == {"provider", "model", "instance", "task"}
    for shown in files.shown():
        for name, matched in shown.metrics():
            assert choices & exposed[files.family(name, exposed)] <= matched, (shown.where, name)


def test_its_name_and_the_originals_panels_are_kept() -> None:
    """Who knows the original finds the same."""
    made = files.dashboard()
    assert (made["title"], made["uid"], made["schemaVersion"]) == ("FlyLLM Dashboard", "flyllm-dashboard", 39)
    assert {panel["title"] for panel in files.panels()} >= ORIGINAL


def test_every_panel_says_what_it_shows() -> None:
    """A unit, a description that is a sentence, and a name for every line."""
    for panel in files.panels():
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert all(target["legendFormat"] for target in panel["targets"])
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)


def test_panels_lie_beside_each_other() -> None:
    """No two on the same place, none beyond the grid, all ids different."""
    every = files.dashboard()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    places = [(panel["title"], *(panel["gridPos"][key] for key in "xywh")) for panel in every]
    for title, x, _, width, _ in places:
        assert x + width <= 24, title
    for (one, x, y, w, h), (other, x2, y2, w2, h2) in itertools.combinations(places, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y, (one, other)


def test_it_is_short_enough_to_be_changed_by_hand() -> None:
    """A panel is a few lines, not Grafana's export of a hundred."""
    assert len(files.DASHBOARD.read_text().splitlines()) <= 300
