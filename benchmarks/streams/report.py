"""The table, and the same as JSON."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from benchmarks.streams.measure import STREAMS, Plan, Row
from flyllm._version import __version__

CHEAP = frozenset({"openai", "openai/responses", "anthropic", "groq"})
"""Where an event is to cost half of the SDK's at most; nowhere more than a tenth above it."""

_COLUMNS = (
    ("stream", 17),
    ("SDK us", 7),
    ("flyllm us", 9),
    ("ratio", 5),
    ("bar", 4),
    ("one by one", 11),
    ("ratio", 5),
    ("per stream us", 13),
    ("ratio", 5),
    ("first us", 8),
    ("connections", 11),
    ("", 0),
)
_SDKS = ("openai", "anthropic", "google-genai", "mistralai", "cohere", "groq", "ollama", "httpx", "httpx2")

LEGEND = f"""\
us: processor time per event, all events there at once; the bar is for their ratio. one by one: SDK/flyllm where each
event comes alone, so that both wait for each of them in the kernel. per stream: SDK/flyllm, what a stream costs
besides its events. first: how much later than by hand the first text comes, of an answer that is there at once.
connections: how many {STREAMS} streams, read to their ends one after the other, opened: SDK/flyllm."""


def bar(target: str) -> float:
    """Return what the ratio may be at most."""
    return 0.5 if target in CHEAP else 1.1


def head() -> str:
    """Return the table's first two lines."""
    titles = _line([title for title, _ in _COLUMNS])
    return f"{titles}\n{'-' * len(titles)}"


def line(row: Row) -> str:
    """Return one row of the table."""
    sdk, flyllm, paced = row.at_once.sdk, row.at_once.flyllm, row.paced
    return _line([
        row.target,
        f"{sdk.event:.1f}",
        f"{flyllm.event:.1f}",
        f"{row.at_once.ratio:.2f}",
        f"{bar(row.target):.1f}",
        f"{paced.sdk.event:.0f}/{paced.flyllm.event:.0f}",
        f"{paced.ratio:.2f}",
        f"{sdk.fixed:.0f}/{flyllm.fixed:.0f}",
        f"{flyllm.fixed / sdk.fixed:.2f}",
        f"{flyllm.first - sdk.first:+.0f}",
        "{}/{}".format(*row.connections),
        "" if row.at_once.ratio <= bar(row.target) else "above the bar",
    ])  # fmt: skip


def as_json(rows: Sequence[Row], at_once: Plan, paced: Plan) -> dict[str, Any]:
    """Return all figures, and what they were measured with."""
    return {
        "flyllm": __version__,
        "python": platform.python_version(),
        "machine": {"system": f"{platform.system()} {platform.machine()}", "processors": os.cpu_count()},
        "sdks": {name: version(name) for name in _SDKS},
        "plans": {"at_once": asdict(at_once), "paced": asdict(paced)},
        "rows": [{**asdict(row), "bar": bar(row.target)} for row in rows],
    }


def _line(cells: Sequence[str]) -> str:
    widths = [width for _, width in _COLUMNS]
    first, *rest = (f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "  ".join([f"{cells[0]:<{widths[0]}}", first, *rest]).rstrip()
