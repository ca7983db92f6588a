"""The table, and the same as JSON."""

import math
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from benchmarks.goodput.scenario import Scenario
from benchmarks.goodput.summary import BUSY, Row

_HEADS = ("scenario", "clock", "n/W", "T* s", "goodput", "mean", "bar", "wire", "bar", "lost", "twice", "p50 s", "p99 s",
          "CPU ms", "busy %", "verdict")
_WIDTHS = (60, 6, 8, 6, 8, 5, 5, 6, 6, 5, 6, 6, 6, 9, 7, 0)

LEGEND = f"""\
goodput: T*/T, the worst seed's and the mean; T* is the computed optimum. Bars are RELIABILITY.md's, the worst seed counts.
clock: x10 = flyllm's clock and the providers run 10 times faster, proportions kept; own = only the providers do.
wire: requests the server counted per request, worst seed. twice: requests that were answered completely more than once.
Seconds are the world's. CPU ms: client's per request + server's per wire request. busy: client/server, % of a core, worst
seed, to stay below {BUSY:.0%}. (?) marks rows whose figures something disturbed; the reasons are below the table."""


def head() -> str:
    """Return the table's first two lines."""
    return f"{_line(_HEADS)}\n{'-' * (sum(_WIDTHS) + 2 * len(_WIDTHS) + 8)}"


def line(row: Row) -> str:
    """Return one row of the table."""
    scenario = row.scenario
    name = f"{scenario.name}: {scenario.title}"
    if not row.runs:
        return f"{name}\n    not run: {row.refusal}"
    ratio, wire = _bar(scenario, "ratio"), _bar(scenario, "wire")
    cells = (
        name,
        "own" if scenario.own_clock else f"x{scenario.speed:g}",
        f"{row.runs[0].requests}/{scenario.client.workers}",
        f"{row.mean_best:.0f}",
        f"{row.least('ratio'):.3f}",
        f"{row.mean('ratio'):.3f}",
        ratio,
        f"{row.most('wire'):.3f}",
        wire,
        f"{row.most('lost'):.0f}",
        f"{row.most('twice'):.0f}",
        f"{row.mean('p50'):.2f}",
        f"{row.mean('p99'):.2f}",
        f"{row.mean('client_ms'):.1f}+{row.mean('server_ms'):.1f}",
        f"{100 * row.most('client_share'):.0f}/{100 * row.most('server_share'):.0f}",
        _verdict(row),
    )
    return _line(cells)


def doubts(rows: Sequence[Row]) -> list[str]:
    """Return a line for each row that something disturbed."""
    return [f"(?) {row.scenario.name}: {', '.join(row.doubts)}" for row in rows if row.runs and row.doubts]


def as_json(rows: Sequence[Row], capacity: float, *, quick: bool) -> dict[str, Any]:
    """Return all figures, with what is needed to judge them."""
    return {
        "machine": {"cpus": os.cpu_count(), "platform": platform.platform(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("flyllm", "openai", "h11")},
        "commit": _commit(),
        "quick": quick,
        "server_capacity": capacity,
        "rows": [_row(row) for row in rows],
    }


def _row(row: Row) -> dict[str, Any]:
    scenario = row.scenario
    return {
        "name": scenario.name,
        "title": scenario.title,
        "speed": scenario.speed,
        "own_clock": scenario.own_clock,
        "bars": {bar.metric: bar.least if bar.least > -math.inf else bar.most for bar in scenario.bars},
        "model": scenario.model,
        "refusal": row.refusal,
        "missed": [str(each) for each in row.missed],
        "doubts": row.doubts if row.runs else [],
        "runs": [asdict(run) for run in row.runs],
    }


def _verdict(row: Row) -> str:
    shown = [text for bar in row.scenario.bars if (text := _extra(row, bar.metric))]
    if row.most("exhausted"):
        shown.append(f"out of attempts {row.mean('exhausted'):.2%}")
    if row.missed:
        shown.append(f"MISSED {', '.join(map(str, row.missed))}")
    elif row.scenario.bars:
        shown.append("ok")
    return "; ".join(shown) + (" (?)" if row.doubts else "")


_EXTRA = {
    "late": "T-T* {:+.1f} s",
    "refused": "429s {:.0f}",
    "wire_down": "wire per arrival {:.2f}",
    "recovery": "first answer {:+.1f} s",
}


def _extra(row: Row, metric: str) -> str:
    return _EXTRA[metric].format(row.most(metric)) if metric in _EXTRA else ""


def _bar(scenario: Scenario, metric: str) -> str:
    bar = next((bar for bar in scenario.bars if bar.metric == metric), None)
    if bar is None:
        return ""
    return f"{bar.least:.2f}" if bar.least > -math.inf else f"{bar.most:.2f}"


def _line(cells: Sequence[str]) -> str:
    first, *others = zip(cells, _WIDTHS, strict=True)
    *middle, last = others
    return "  ".join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in middle), last[0]])


def _commit() -> str:
    try:
        command = ["git", "describe", "--always", "--dirty"]  # noqa: S607
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return ""
