"""The rules by promtool: they are valid, each alert fires when it should, and none does on a good day."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.contract.monitoring import files, server

pytestmark = server.needed

APP = 'job="flyllm", app="host:9090"'
OPENAI = f'{APP}, instance="openai", provider="openai", model="gpt"'
GROQ = f'{APP}, instance="groq", provider="groq", model="llama"'
MODEL = f'{APP}, provider="openai", model="gpt"'

REQUESTS = f'llm_requests_total{{{OPENAI}, task="chat", status="success"}}'
FAILED = f'llm_requests_total{{{OPENAI}, task="chat", status="error"}}'
ATTEMPTS = f'llm_attempts_total{{{OPENAI}, outcome="success"}}'
ERRORS = f'llm_attempts_total{{{OPENAI}, outcome="error"}}'
REFUSED = f'llm_rate_limits_total{{{APP}, instance="openai", provider="openai"}}'
HEALTHY = f"llm_provider_healthy{{{OPENAI}}}"
OTHER_HEALTHY = f"llm_provider_healthy{{{GROQ}}}"
QUEUE = f"llm_queue_length{{{APP}}}"
BUDGET = f"llm_retry_budget_tokens{{{APP}}}"
COST = f"llm_cost_total{{{OPENAI}}}"
UP = 'up{job="flyllm", app="host:9090", instance="host:9090"}'


def within(metric: str, seconds: str) -> str:
    return f'{metric}_bucket{{{MODEL}, le="{seconds}"}}'


GOOD_DAY: Mapping[str, str] = {
    REQUESTS: "0+600x40",
    FAILED: "0+6x40",
    within("llm_request_duration_seconds", "8"): "0+606x40",
    within("llm_request_duration_seconds", "120"): "0+606x40",
    within("llm_request_duration_seconds", "+Inf"): "0+606x40",
    ATTEMPTS: "0+600x40",
    ERRORS: "0+30x40",
    REFUSED: "0+6x40",
    within("llm_slot_wait_seconds", "0.01"): "0+630x40",
    within("llm_slot_wait_seconds", "60"): "0+630x40",
    within("llm_slot_wait_seconds", "+Inf"): "0+630x40",
    f"llm_tokens_prompt_total{{{OPENAI}}}": "0+6000x40",
    f"llm_tokens_completion_total{{{OPENAI}}}": "0+3000x40",
    COST: "0+0.1x40",
    HEALTHY: "1x40",
    OTHER_HEALTHY: "1x40",
    QUEUE: "3x40",
    BUDGET: "97x40",
    UP: "1x40",
}
"""Series minute by minute: 10 requests a second, a few of everything that goes wrong on any day, 6 an hour spent."""

BAD_DAYS: Mapping[str, tuple[Mapping[str, str], set[str]]] = {
    "LLMInstanceDown": ({HEALTHY: "0x40"}, set()),
    "LLMAllInstancesDown": ({HEALTHY: "0x40", OTHER_HEALTHY: "0x40"}, {"LLMInstanceDown"}),
    "LLMRequestsFailing": ({FAILED: "0+60x40"}, set()),
    "LLMProviderFailing": ({ERRORS: "0+300x40"}, set()),
    "LLMRateLimited": ({REFUSED: "0+120x40"}, set()),
    "LLMQueueGrowing": ({QUEUE: "0+5x40"}, set()),
    "LLMSlotWaitHigh": ({within("llm_slot_wait_seconds", "0.01"): "0+60x40"}, set()),
    "LLMRetryBudgetExhausted": ({BUDGET: "1x40"}, set()),
    "LLMSpendHigh": ({COST: "0+0.2x40"}, set()),
    "LLMLatencyHigh": ({within("llm_request_duration_seconds", "8"): "0+60x40"}, set()),
    "LLMMetricsMissing": ({UP: "0x40"}, set()),
}
"""What is different when an alert fires, and which other alerts that means as well."""

DAYS = [("a good day", GOOD_DAY, set[str]())] + [
    (alert, {**GOOD_DAY, **changes}, {alert, *others}) for alert, (changes, others) in BAD_DAYS.items()
]


def firing(minute: str, alerts: set[str]) -> dict[str, Any]:
    """What promtool is to find at a minute: these alerts and no other; where all instances are down, two of one."""
    return {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": minute,
        "exp_samples": [
            {"labels": f'{{alertname="{name}"}}', "value": 2 if name == "LLMInstanceDown" and len(alerts) > 1 else 1}
            for name in sorted(alerts)
        ],
    }


def expecting(folder: Path, days: list[tuple[str, Mapping[str, str], list[dict[str, Any]]]]) -> None:
    """Have promtool play `days` (name, series, what is to be found) through all rules."""
    tests = [
        {
            "interval": "1m",
            "name": name,
            "input_series": [{"series": series, "values": values} for series, values in day.items()],
            "promql_expr_test": found,
        }
        for name, day, found in days
    ]
    plan = {"rule_files": [str(path) for path in files.RULES], "evaluation_interval": "30s", "tests": tests}
    path = folder / "tests.json"  # every JSON is YAML
    path.write_text(json.dumps(plan))
    server.promtool("test", "rules", path)


def test_every_alert_has_a_day_that_it_fires_on() -> None:
    """And no day is of an alert that is gone."""
    assert {rule["alert"] for rule in files.rules("alert")} == set(BAD_DAYS)


def test_each_alert_fires_on_its_day_and_none_on_a_good_one(tmp_path: Path) -> None:
    """By the 30th minute exactly these; in the first half minute none, whatever the day."""
    expecting(tmp_path, [(name, day, [firing("30s", set()), firing("30m", alerts)]) for name, day, alerts in DAYS])


def test_a_day_that_promtool_is_told_wrong_is_noticed(tmp_path: Path) -> None:
    """The test of the tests: what fires and is not expected, or the other way round, fails."""
    with pytest.raises(AssertionError, match="LLMSpendHigh"):
        expecting(tmp_path, [("wrong", {**GOOD_DAY, COST: "0+0.2x40"}, [firing("30m", set())])])
    with pytest.raises(AssertionError, match="LLMSpendHigh"):
        expecting(tmp_path, [("wrong", GOOD_DAY, [firing("30m", {"LLMSpendHigh"})])])


def test_the_recording_rules_say_what_is_so(tmp_path: Path) -> None:
    """On the good day, to the last digit."""
    by = 'job="flyllm", provider="openai", model="gpt"'
    known = {
        f"provider_model:llm_requests:rate5m{{{by}}}": 10.1,
        'job:llm_request_errors:ratio_rate5m{job="flyllm"}': 6 / 606,
        f"provider_model:llm_attempt_errors:ratio_rate5m{{{by}}}": 30 / 630,
        f"provider_model:llm_request_duration_seconds:p95_rate5m{{{by}}}": 7.6,
        f"provider_model:llm_slot_wait_seconds:p95_rate5m{{{by}}}": 0.0095,
        f"provider_model:llm_tokens_per_minute:rate5m{{{by}}}": 9000,
        f"provider_model:llm_cost_per_hour:rate5m{{{by}}}": 6,
        'instance:llm_rate_limits:ratio_rate5m{job="flyllm", instance="openai", provider="openai"}': 6 / 630,
    }
    assert {name.split("{")[0] for name in known} == {rule["record"] for rule in files.rules("record")}
    # Through a rounding, since promtool compares floats exactly.
    found = [
        {
            "expr": f"round(1e6 * {name})",
            "eval_time": "30m",
            "exp_samples": [{"labels": "{" + name.split("{")[1], "value": round(1e6 * value)}],
        }
        for name, value in known.items()
    ]
    expecting(tmp_path, [("a good day", GOOD_DAY, found)])


def test_ratios_are_0_where_nothing_has_failed_yet(tmp_path: Path) -> None:
    """Not missing, which no dashboard shows."""
    day = {name: values for name, values in GOOD_DAY.items() if name not in (FAILED, ERRORS)}
    expressions = ["job:llm_request_errors:ratio_rate5m", "provider_model:llm_attempt_errors:ratio_rate5m"]
    found = [
        {"expr": f"sum({text})", "eval_time": "30m", "exp_samples": [{"labels": "{}", "value": 0}]}
        for text in expressions
    ]
    expecting(tmp_path, [("a clean day", day, found)])


def test_the_files_pass_promtools_checks() -> None:
    """Prometheus would load them."""
    assert "SUCCESS" in server.promtool("check", "config", files.MONITORING / "prometheus.yml")
    assert "SUCCESS" in server.promtool("check", "rules", *files.RULES)
