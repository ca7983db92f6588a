"""The table of threads, and the same as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.about import about
from benchmarks.threads.measure import DELAY, WAYS, Row

BAR = 0.95
"""Of the throughput of the best arrangement by hand, at least."""

REUSED = 0.95
"""Of the requests, over connections that were open already, at least."""

BUSY = 0.25
"""Of a core, taken by other processes: more than that disturbs."""

_COLUMNS = (
    ("provider", 10),
    ("threads", 7),
    ("flyllm/s", 8),
    ("shared/s", 8),
    ("sharded/s", 9),
    ("own/s", 6),
    ("ratio", 5),
    ("bar", 4),
    ("CPU us", 11),
    ("reused", 6),
    ("opened", 6),
    ("failed", 6),
    ("server", 6),
    ("others", 6),
    ("", 0),
)

LEGEND = f"""\
/s: requests a second, each answered after {1000 * DELAY:.0f} ms: by flyllm, and by hand with one client for all
threads, with one for every eight, and with one for each. ratio: flyllm / the best of these, median of those of each
round. CPU: best/flyllm, per request. reused: of flyllm's requests, over connections that were open already; opened:
at first. failed: of flyllm's rounds. server, others: the share of a core that it, and other processes, took;
(?): more than {BUSY:.0%} of one."""


def head() -> str:
    """Return the table's first two lines."""
    titles = _line([title for title, _ in _COLUMNS])
    return f"{titles}\n{'-' * len(titles)}"


def verdict(row: Row) -> str:
    """Return what is missed."""
    missed = [
        word
        for word, is_met in (
            ("throughput", row.ratio >= BAR),
            ("reuse", row.reused >= REUSED),
            ("answers", not row.failures),
        )
        if not is_met
    ]
    return f"MISSED: {', '.join(missed)}" if missed else "met"


def is_disturbed(row: Row) -> bool:
    """Whether other processes took too much for a figure of real time."""
    return row.others is not None and row.others > BUSY


def line(row: Row) -> str:
    """Return one row of the table."""
    return _line([
        row.provider,
        f"{row.threads}",
        *(f"{row.requests / row.wall(way):.0f}" for way in WAYS),
        f"{row.ratio:.2f}",
        f"{BAR}",
        f"{1e6 * row.cpu(row.best):.0f}/{1e6 * row.cpu('flyllm'):.0f}",
        f"{100 * row.reused:.0f} %",
        f"{max(taken['flyllm'].warm for taken in row.rounds)}",
        f"{len(row.failures)}",
        f"{100 * row.server:.0f} %",
        "-" if row.others is None else f"{100 * row.others:.0f} %",
        verdict(row) + (" (?)" if is_disturbed(row) else ""),
    ])  # fmt: skip


def as_json(rows: Sequence[Row], quick: bool) -> dict[str, Any]:
    """Return all figures, and what they were measured with."""
    return {**about(quick=quick), "delay": DELAY, "rows": [_as_json(row) for row in rows]}


def _as_json(row: Row) -> dict[str, Any]:
    rates = {way: row.requests / row.wall(way) for way in WAYS}
    told = {"ratio": row.ratio, "bar": BAR, "best": row.best, "reused": row.reused, "verdict": verdict(row)}
    return {**asdict(row), "rates": rates, "disturbed": is_disturbed(row), **told}


def _line(cells: Sequence[str]) -> str:
    _, *rest = (f"{cell:>{width}}" for cell, (_, width) in zip(cells, _COLUMNS, strict=True))
    return "  ".join([f"{cells[0]:<{_COLUMNS[0][1]}}", *rest]).rstrip()
