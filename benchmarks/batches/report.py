"""The table, what the server says of itself, and the same as JSON."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from benchmarks.batches.plan import Plan
from benchmarks.batches.rows import Row
from benchmarks.batches.wall import Walls
from flyllm._version import __version__

LEGEND = """\
wall: what binds / flyllm's time, where the ideal binds (requests x 0.1 s / workers) or the SDK by hand if that takes
longer; SDK: threads that share a client / with one each; bare: plain sockets in one event loop; CPU: per request.
memory: how far the peak rose above what was resident after another batch; of one queued: in `batch_generate`.
others: what other processes took of all processors meanwhile."""


def head() -> str:
    """Return the table's first two lines."""
    titles = _line("figure", "", "", "bar", "verdict", "")
    return f"{titles}\n{'-' * 118}"


def line(row: Row) -> str:
    """Return one row of the table."""
    figure = f"{row.figure:.2f}" if row.figure < 10 else f"{row.figure:.0f}"
    bar = f">= {row.least:g}" if row.least is not None else f"<= {row.most:g}" if row.most is not None else "-"
    return _line(row.what, figure, row.unit, bar, row.verdict or "-", row.remark)


def server_line(walls: Walls) -> str:
    """Say whether the server could have been what was measured."""
    told = walls.server
    share = told["cpu"] / sum(taken.wall for runs in walls.rounds for taken in runs.values())
    others = "unknown" if walls.others is None else f"{100 * walls.others:.0f} %"
    return (
        f"{walls.workers:>3} workers: server {100 * share:.0f} % of a core, answers {1000 * told['late']:.1f} ms late, "
        f"{1000 * told['latest']:.0f} at most; plain sockets reach {walls.ideal / walls.bare:.2f} of the ideal; "
        f"others {others}"
    )


def as_json(rows: Sequence[Row], walls: Sequence[Walls], plan: Plan) -> dict[str, Any]:
    """Return all figures, and what they were measured with."""
    return {
        "flyllm": __version__,
        "python": platform.python_version(),
        "machine": {"system": f"{platform.system()} {platform.machine()}", "processors": os.cpu_count()},
        "sdks": {name: version(name) for name in ("openai", "httpx2")},
        "plan": asdict(plan),
        "rows": [{**asdict(row), "verdict": row.verdict} for row in rows],
        "walls": [asdict(found) for found in walls],
    }


def _line(what: str, figure: str, unit: str, bar: str, verdict: str, remark: str) -> str:
    return f"{what:<31}{figure:>7} {unit:<2}  {bar:>7}  {verdict:<7}  {remark}".rstrip()
