"""The table, and the same as JSON."""

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from benchmarks.about import commit
from benchmarks.goodput.scenario import Scenario
from benchmarks.goodput.summary import BUSY, Row
from flyllm._version import __version__

_COLUMNS = (
    ("scenario", 62),
    ("clock", 5),
    ("n/W", 9),
    ("T* s", 5),
    ("goodput", 7),
    ("mean", 5),
    ("bar", 4),
    ("wire", 5),
    ("bar", 4),
    ("lost", 4),
    ("twice", 5),
    ("p50 s", 5),
    ("p99 s", 5),
    ("CPU ms", 7),
    ("busy %", 6),
    ("verdict", 0),
)

LEGEND = f"""\
goodput: T*/T, the worst seed's and the mean; T* is the computed optimum. Bars hold for the worst seed.
clock: x10 = flyllm's clock and the providers run 10 times faster, proportions kept; own = only the providers do.
wire: requests the server counted per request, worst seed. twice: requests completely answered more than once.
Seconds are the world's. CPU ms: the client's per request + the server's per wire request. busy: client/server, % of
a core, worst seed, to stay below {BUSY:.0%}. (?) marks rows that something disturbed; the reasons are below."""


def head() -> str:
    """Return the table's first two lines."""
    titles = _line([title for title, _ in _COLUMNS])
    return f"{titles}\n{'-' * len(titles)}"


def line(row: Row) -> str:
    """Return one row of the table."""
    scenario = row.scenario
    name = f"{scenario.name}: {scenario.title}"
    if not row.runs:
        return f"{name}\n    not run: {row.refusal}"
    single = scenario.runner == "open"
    cells = (
        name,
        "own" if scenario.own_clock else f"x{scenario.speed:g}",
        f"{row.runs[0].requests}/{scenario.client.workers}",
        "-" if single else f"{row.mean_best:.0f}",
        "-" if single else f"{row.least('ratio'):.3f}",
        "-" if single else f"{row.mean('ratio'):.3f}",
        _bar(scenario, "ratio"),
        f"{row.most('wire'):.3f}",
        _bar(scenario, "wire"),
        "-" if single else f"{row.most('lost'):.0f}",
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


def server_load(rows: Sequence[Row], capacity: float) -> str:
    """Return what the server can do and what was asked of it."""
    measured = [row for row in rows if row.runs]
    fastest = max((row.most("wire_rate") for row in measured), default=0.0)
    late = max((row.mean("server_late_ms") for row in measured), default=0.0)
    return (
        f"The server alone answers {capacity:.0f} requests/s; no run asked more than {fastest:.0f}. "
        f"Its answers left at most {late:.1f} ms late on average (timer and processor; real time)."
    )


def as_json(rows: Sequence[Row], capacity: float, *, quick: bool) -> dict[str, Any]:
    """Return all figures, with what is needed to judge them."""
    return {
        "machine": {
            "cpus": os.cpu_count(),
            "platform": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
        },
        "versions": {"flyllm": __version__, **{name: version(name) for name in ("openai", "h11")}},
        "commit": commit(),
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
    "in_time": "in time {:.0%}",
}


def _extra(row: Row, metric: str) -> str:
    return _EXTRA[metric].format(row.most(metric)) if metric in _EXTRA else ""


def _bar(scenario: Scenario, metric: str) -> str:
    bar = next((bar for bar in scenario.bars if bar.metric == metric), None)
    if bar is None:
        return ""
    return f"{bar.least:.2f}" if bar.least > -math.inf else f"{bar.most:.2f}"


def _line(cells: Sequence[str]) -> str:
    first, *numbers, last = (text.rjust(width) for text, (_, width) in zip(cells, _COLUMNS, strict=True))
    return "  ".join([first.strip().ljust(_COLUMNS[0][1]), *numbers, last])
