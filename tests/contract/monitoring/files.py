"""What monitoring/ consists of, parsed: the dashboard's expressions, the rules, the configuration."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml  # type: ignore[import-untyped]  # stubs are not worth a dependency

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "monitoring"
DASHBOARD = ROOT / "flyllm/observability/prometheus/dashboard.json"
RULES = sorted((MONITORING / "rules").glob("*.yml"))

ALL: Mapping[str, str] = {
    **dict.fromkeys(("provider", "model", "instance", "task"), ".*"),
    "__rate_interval": "10s",
    "__range": "1m",
}
"""What Grafana puts in place of the dashboard's variables, where everything is chosen."""

_WORDS = "by|on|without|ignoring|group_left|group_right"
_SELECTOR = re.compile(r"\b(llm_[a-z0-9_]+)(?:\{([^}]*)\})?")
_GROUPING = re.compile(rf"\b(?:{_WORDS}) \(([^)]*)\)")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


class Expression(NamedTuple):
    """A PromQL expression and the panel or rule that has it."""

    where: str
    text: str

    def metrics(self) -> Iterator[tuple[str, frozenset[str]]]:
        """Yield the names of the metrics in it, as /metrics declares their samples, with the labels matched."""
        for name, matchers in _SELECTOR.findall(self.text):
            yield name, frozenset(_MATCHER.findall(matchers))

    def grouped_by(self) -> set[str]:
        """Return the labels that it aggregates by."""
        return {label.strip() for labels in _GROUPING.findall(self.text) for label in labels.split(",")}


def load(path: Path) -> Any:
    """Return a YAML file of monitoring/ as data."""
    return yaml.safe_load(path.read_text())


def dashboard() -> dict[str, Any]:
    """Return the dashboard as data."""
    made: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return made


def panels() -> list[dict[str, Any]]:
    """Return the panels that show something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def shown() -> list[Expression]:
    """Return the expressions of all panels, as they are written."""
    return [
        Expression(f"{panel['title']} {target['refId']}", target["expr"])
        for panel in panels()
        for target in panel["targets"]
    ]


def substituted(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with the variables' values in place of their names, as Grafana sends it."""
    return re.sub(r"\$(\w+)", lambda match: values[match[1]], text)


def rules(kind: str) -> list[dict[str, Any]]:
    """Return the rules of a kind, "record" or "alert"."""
    groups = [group for path in RULES for group in load(path)["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


def family(sample: str, known: Mapping[str, object]) -> str:
    """Return the name under which /metrics declares the metric of a sample."""
    return sample if sample in known else _SUFFIX.sub("", sample)
