"""The table of calls, and the same as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from statistics import quantiles
from typing import Any

from benchmarks.about import about
from benchmarks.calls.measure import Plan, Row
from benchmarks.calls.peer import PEERS
from benchmarks.calls.share import Share

BARS = {"openai": 0.75, "groq": 0.75, "anthropic": 0.85, "google": 0.95}
BUSY = 0.25
"""Of a core, taken by other processes: more than that disturbs."""

_COLUMNS = (
    ("provider", 10),
    ("SDK us", 6),
    ("flyllm us", 9),
    ("ratio", 5),
    ("quartiles", 9),
    ("bar", 4),
    ("all on us", 9),
    ("ratio", 5),
    ("wall us", 11),
    ("ratio", 5),
    ("server", 6),
    ("", 0),
)

LEGEND = f"""\
us: processor time per call, of all threads of the process, medians. ratio: flyllm / SDK by hand, median of those of
each round, with their quartiles. all on: with a budget and Prometheus. wall: SDK/flyllm. server: its share of a core.
(?): other processes took more than {BUSY:.0%} of a core meanwhile."""


def bar(provider: str) -> float:
    """Return what the ratio may be at most."""
    return BARS.get(provider, 1.0)


def head() -> str:
    """Return the table's first two lines."""
    titles = _line([title for title, _ in _COLUMNS])
    return f"{titles}\n{'-' * len(titles)}"


def line(row: Row) -> str:
    """Return one row of the table."""
    sdk, flyllm, quartiles = row.cost("sdk"), row.cost("flyllm"), _spread(row)
    return _line([
        row.provider,
        f"{1e6 * sdk.process:.0f}",
        f"{1e6 * flyllm.process:.0f}",
        f"{row.ratio('flyllm'):.2f}",
        f"{quartiles[0]:.2f}-{quartiles[1]:.2f}",
        f"{bar(row.provider):.2f}",
        f"{1e6 * row.cost('all on').process:.0f}",
        f"{row.ratio('all on'):.2f}",
        f"{1e6 * sdk.wall:.0f}/{1e6 * flyllm.wall:.0f}",
        f"{row.ratio('flyllm', 'wall'):.2f}",
        f"{100 * row.server:.0f} %",
        ("met" if row.ratio("flyllm") <= bar(row.provider) else "MISSED") + ("" if _is_calm(row) else " (?)"),
    ])  # fmt: skip


def peer_lines(rows: Sequence[Row]) -> list[str]:
    """Return a line for each other library, and one that says so where there is none."""
    lines = [
        f"{name} {row.versions[name]}, {row.provider}'s wire: {1e6 * row.cost(name).process:.0f} us, wall "
        f"{1e6 * row.cost(name).wall:.0f} us; {row.ratio(name):.1f} times the SDK by hand, "
        f"{row.cost(name).process / row.cost('flyllm').process:.1f} times flyllm"
        for row in rows
        for name in row.versions
    ]
    names = ", ".join(PEERS)
    return lines or [f"left out: {names}; --peers names the Python of an environment that has litellm and any-llm-sdk"]


def share_line(share: Share) -> str:
    """Say what flyllm itself takes."""
    verdict = "" if share.bar is None else f", bar {share.bar:.0f}: {'met' if share.micros <= share.bar else 'MISSED'}"
    return f"  {share.what}: {share.micros:.0f} us ({share.least:.0f}-{share.most:.0f}){verdict}"


def as_json(rows: Sequence[Row], shares: Sequence[Share], capacity: float, plan: Plan, quick: bool) -> dict[str, Any]:
    """Return all figures, and what they were measured with."""
    return {
        **about(quick=quick),
        "plan": asdict(plan),
        "server_capacity": capacity,
        "rows": [_as_json(row) for row in rows],
        "share": [asdict(share) for share in shares],
    }


def _as_json(row: Row) -> dict[str, Any]:
    ways = {
        way: {**row.cost(way)._asdict(), "process_ratio": row.ratio(way), "wall_ratio": row.ratio(way, "wall")}
        for way in row.rounds[0]
    }
    return {
        "provider": row.provider,
        "bar": bar(row.provider),
        "ratio": row.ratio("flyllm"),
        "quartiles": _spread(row),
        "ways": ways,
        "rounds": [{way: taken._asdict() for way, taken in each.items()} for each in row.rounds],
        "server": row.server,
        "others": row.others,
        "disturbed": not _is_calm(row),
        "versions": dict(row.versions),
    }


def _spread(row: Row) -> tuple[float, float]:
    ratios = [taken["flyllm"].process / taken["sdk"].process for taken in row.rounds]
    first, _, third = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else 3 * ratios
    return first, third


def _is_calm(row: Row) -> bool:
    return row.others is None or row.others <= BUSY


def _line(cells: Sequence[str]) -> str:
    _, *rest = (f"{cell:>{width}}" for cell, (_, width) in zip(cells, _COLUMNS, strict=True))
    return "  ".join([f"{cells[0]:<{_COLUMNS[0][1]}}", *rest]).rstrip()
