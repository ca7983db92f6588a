"""What `flyllm check` prints for people, and for programs."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from flyllm.cli.check.advice import advice
from flyllm.cli.check.facts import InstanceFacts, servants
from flyllm.cli.check.live import Probe
from flyllm.cli.output import open_table
from flyllm.cli.response_json import error_object, usage_object
from flyllm.config.model import ManagerConfig
from flyllm.errors import LLMError
from flyllm.types import LLMResponse

_LONGEST = 240


def instance_table(instances: Sequence[InstanceFacts]) -> Table:
    """Return one row per instance."""
    table = open_table("instance", "provider", "model", "host", "tasks", "limits")
    for facts in instances:
        limits = [f"{name} {value:,.10g}" for name, value in facts.limits.items()]
        if not facts.config.enabled:
            limits.insert(0, "disabled")
        shown = (facts.config.provider, facts.config.model, facts.host)
        table.add_row(facts.name, *shown, ", ".join(facts.config.tasks) or "-", ", ".join(limits) or "-")
    return table


def task_table(config: ManagerConfig, instances: Sequence[InstanceFacts]) -> Table:
    """Return one row per task."""
    table = open_table("task", "parameters", "instances")
    for task in config.tasks:
        params = [f"{name} = {value}" for name, value in task.params.items()]
        if task.timeout is not None:
            params.append(f"timeout = {task.timeout:,.10g}")
        table.add_row(task.name, ", ".join(params) or "-", ", ".join(servants(task.name, instances)) or "-")
    return table


def live_table(probes: Sequence[Probe]) -> Table:
    """Return one row per instance that was asked."""
    table = open_table("instance", "answer")
    table.add_column("seconds", justify="right")
    table.add_column("tokens", justify="right")
    table.add_column("model")
    for probe in probes:
        response = probe.response
        answer = Text("ok", "green") if response.error is None else Text(type(response.error).__name__, "red")
        tokens = response.usage.total_tokens
        shown = "-" if tokens is None else str(tokens)
        table.add_row(probe.name, answer, f"{probe.seconds:.2f}", shown, _model(response) or "-")
    return table


def failure_lines(probes: Sequence[Probe], instances: Sequence[InstanceFacts]) -> list[str]:
    """Return one line for each instance that failed: what it said, and what to do."""
    by_name = {facts.name: facts for facts in instances}
    return [
        f"{probe.name}: {_line(probe.response.error, by_name[probe.name])}"
        for probe in probes
        if probe.response.error is not None
    ]


def as_json(
    config: ManagerConfig, instances: Sequence[InstanceFacts], notes: Sequence[str], probes: Sequence[Probe] | None
) -> dict[str, Any]:
    """Return the whole report; `live` is in an instance that was asked."""
    said = {probe.name: {"live": _probe_json(probe)} for probe in probes or ()}
    return {
        "valid": True,
        "faults": [],
        "instances": [facts.as_json() | said.get(facts.name, {}) for facts in instances],
        "tasks": [
            {
                "name": task.name,
                "params": dict(task.params),
                "timeout": task.timeout,
                "instances": servants(task.name, instances),
            }
            for task in config.tasks
        ],
        "notes": list(notes),
    }


def _line(error: LLMError, facts: InstanceFacts) -> str:
    reason = " ".join(str(error).split())
    reason = reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 1]}…"
    to_do = advice(error, facts.config, facts.name, facts.host)
    return f"{type(error).__name__}: {reason}" + (f" → {to_do}" if to_do else "")


def _probe_json(probe: Probe) -> dict[str, Any]:
    response = probe.response
    return {
        "success": response.success,
        "seconds": round(probe.seconds, 3),
        "model": _model(response),
        "usage": usage_object(response.usage),
        "error": None if response.error is None else error_object(response.error),
    }


def _model(response: LLMResponse) -> str | None:
    """Return the model that answered; of a failure the response names the one that was asked."""
    return response.model if response.success else None
