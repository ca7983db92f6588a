"""One run of one scenario: warm up, run, and compare what came of it with the server's count and with T*."""

import gc
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.goodput.client import BenchManager, open_manager
from benchmarks.goodput.clock import ScaledClock
from benchmarks.goodput.control import ServerProcess
from benchmarks.goodput.runners import RUNNERS, Outcome, percentile
from benchmarks.goodput.scenario import Scenario
from benchmarks.goodput.server.answers import answer_text
from benchmarks.machine import Load

_AFTER_WARMING = 3600.0
"""Seconds by which the clock is advanced after warming up, so that nothing remembered of it counts."""
_PATIENCE = 6.0
"""A batch is given up after so many times T*, and a minute."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of one run. `seconds`, `best` and the percentiles are in seconds of the world.

    Attributes:
        metrics: what bars are set on, and the other columns of the table.
        kinds: how often the server answered what.
        errors: errors that requests ended with.
    """

    scenario: str
    seed: int
    requests: int
    workers: int
    seconds: float
    best: float
    metrics: Mapping[str, float]
    kinds: Mapping[str, int]
    errors: Mapping[str, int]


def measure(scenario: Scenario, seed: int, server: ServerProcess) -> Measurement:
    """Run `scenario` with `seed` against `server`.

    Raises:
        ConfigError: this flyllm does not know an option of the scenario.
    """
    clock = ScaledClock(scenario.clock_speed, seed)
    urls = server.open(scenario.world(seed))
    began = False
    try:
        with open_manager(scenario.client, urls, clock) as manager:
            _warm(manager, scenario, clock)
            limit = (_PATIENCE * scenario.best(seed, scenario.requests) + 60.0) / scenario.speed
            gc.collect()
            server.begin()
            began = True
            load, start = Load(), time.monotonic()
            outcomes = RUNNERS[scenario.runner](manager, scenario, limit)
            seconds = (time.monotonic() - start) * scenario.speed
            taken = load.taken()
    finally:
        if not began:
            server.begin()
        report = server.end()
    return _measurement(scenario, seed, seconds, outcomes, report, taken)


def _warm(manager: BenchManager, scenario: Scenario, clock: ScaledClock) -> None:
    """Open connections and run everything once; with the clock moved on, flyllm has forgotten it."""
    workers = scenario.client.workers
    if "rpm" in scenario.client.instance:  # they would be counted
        workers = len(scenario.providers)
    responses = manager.batch_generate(["0"] * 2 * workers, max_workers=workers)
    for response in responses:
        response.raise_for_error()
    clock.advance(_AFTER_WARMING)


def _measurement(
    scenario: Scenario,
    seed: int,
    seconds: float,
    outcomes: Sequence[Outcome],
    report: Mapping[str, Any],
    taken: tuple[float, float, float | None],
) -> Measurement:
    right = sum(outcome.text == answer_text(index) for index, outcome in enumerate(outcomes))
    best = scenario.best(seed, right) if right else 0.0
    allowed = scenario.client.max_retries + 1
    inherent = any(provider.error_rate for provider in scenario.providers)
    exhausted = sum(o.error is not None and o.attempts >= allowed for o in outcomes) if inherent else 0
    durations = [outcome.seconds * scenario.speed for outcome in outcomes if outcome.error is None]
    metrics = {
        "ratio": best / seconds,
        "late": seconds - best,
        "wire": report["wire"] / scenario.requests,
        "lost": float(scenario.requests - right - exhausted),
        "in_time": right / scenario.requests,
        "twice": float(report["answered_twice"]),
        "exhausted": exhausted / scenario.requests,
        "refused": float(report["kinds"].get("reject", 0)),
        "p50": percentile(durations, 0.5),
        "p99": percentile(durations, 0.99),
        **_during_outage(scenario, report),
        **_costs(scenario, report, taken),
    }
    errors = Counter(outcome.error for outcome in outcomes if outcome.error is not None)
    workers = scenario.client.workers
    return Measurement(
        scenario.name, seed, scenario.requests, workers, seconds, best, metrics, dict(report["kinds"]), dict(errors)
    )


def _during_outage(scenario: Scenario, report: Mapping[str, Any]) -> dict[str, float]:
    """Return wire requests per arrival while all was down, and how late the first answer came; open loops only."""
    if not scenario.arrivals:
        return {}
    (outage,) = scenario.providers[0].outages
    arrived = scenario.arrivals * (outage.end - outage.begin)
    recovered = report["recovered"]
    return {
        "wire_down": report["kinds"].get(outage.kind, 0) / arrived,
        "recovery": recovered - outage.end if recovered is not None else 1e9,
    }


def _costs(scenario: Scenario, report: Mapping[str, Any], taken: tuple[float, float, float | None]) -> dict[str, float]:
    """Return milliseconds of processor per request, shares of a core, and how late the server was, in ms."""
    elapsed, own, everyone = taken
    others = max(0.0, everyone - own - report["cpu"]) if everyone is not None else 0.0
    return {
        "client_ms": 1000 * own / scenario.requests,
        "server_ms": 1000 * report["cpu"] / max(1, report["wire"]),
        "client_share": own / elapsed,
        "server_share": report["cpu"] / elapsed,
        "others_share": others / elapsed,
        "server_late_ms": 1000 * report["late_mean"],
        "server_late_p99_ms": 1000 * report["late_p99"],
        "wire_rate": report["wire"] / elapsed,
    }
