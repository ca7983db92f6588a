"""What stands on the page of each bench."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.page.markdown import bars, table

Figures = Mapping[str, Any]

LONGEST = 2.0
"""Times the SDK by hand, beyond which a bar is cut."""


def calls(figures: Figures) -> str:
    """What calls cost, beside the SDK by hand and beside other libraries."""
    rows = [(row["provider"], row["ways"], row) for row in figures["rows"]]
    chart = {f"{name}, flyllm": row["ratio"] for name, _, row in rows}
    chart |= {f"{row['provider']}, {way}": found["process_ratio"] for row, way, found in _peers(figures)}
    titles = ("provider", "SDK us", "flyllm us", "ratio", "quartiles", "bar", "all on", "wall", "")
    lines = [
        (
            name,
            _micros(ways["sdk"]),
            _micros(ways["flyllm"]),
            f"{row['ratio']:.2f}",
            "{:.2f}-{:.2f}".format(*row["quartiles"]),
            _bar(f"{row['bar']:.2f}", is_met=row["ratio"] <= row["bar"]),
            f"{ways['all on']['process_ratio']:.2f}",
            f"{ways['flyllm']['wall_ratio']:.2f}",
            "(?)" if row["disturbed"] else "",
        )
        for name, ways, row in rows
    ]
    peers = [
        (f"{way} {row['versions'][way]}", row["provider"], _micros(found), f"{found['process_ratio']:.1f}")
        for row, way, found in _peers(figures)
    ]
    share = [
        (
            each["what"],
            f"{each['micros']:.0f}",
            "" if each["bar"] is None else _bar(f"{each['bar']:.0f}", is_met=each["micros"] <= each["bar"]),
        )
        for each in figures["share"]
    ]
    return _parts(
        "Processor time of a call; the SDK by hand is 1.",
        bars({"the SDK by hand": 1.0, **chart}, LONGEST),
        table(titles, lines),
        peers and table(("other library", "wire", "us", "ratio"), peers),
        "flyllm's own share, over an adapter that answers at once:",
        table(("of", "us", "bar"), share),
    )


def _peers(figures: Figures) -> list[tuple[Figures, str, Figures]]:
    return [(row, way, row["ways"][way]) for row in figures["rows"] for way in row["versions"]]


def threads(figures: Figures) -> str:
    """What many threads get."""
    titles = ("provider", "threads", "flyllm/s", "SDK/s", "arrangement", "ratio", "bar", "reused", "failed", "")
    lines = [
        (
            row["provider"],
            row["threads"],
            f"{row['rates']['flyllm']:.0f}",
            f"{row['rates'][row['best']]:.0f}",
            row["best"],
            f"{row['ratio']:.2f}",
            _bar(f"{row['bar']}", is_met=row["verdict"] == "met"),
            f"{100 * row['reused']:.0f} %",
            sum(bool(taken["flyllm"]["failure"]) for taken in row["rounds"]),
            "(?)" if row["disturbed"] else "",
        )
        for row in figures["rows"]
    ]
    return table(titles, lines)


def streams(figures: Figures) -> str:
    """What an event of a stream costs."""
    lines = [
        (
            row["target"],
            f"{row['at_once']['sdk']['event']:.1f}",
            f"{row['at_once']['flyllm']['event']:.1f}",
            f"{row['at_once']['ratio']:.2f}",
            _bar(f"{row['bar']}", is_met=row["at_once"]["ratio"] <= row["bar"]),
            f"{row['at_once']['flyllm']['first'] - row['at_once']['sdk']['first']:+.0f}",
            "{}/{}".format(*row["connections"]),
        )
        for row in figures["rows"]
    ]
    titles = ("stream", "SDK us per event", "flyllm us", "ratio", "bar", "first text, us later", "connections")
    return table(titles, lines)


def figures_and_bars(figures: Figures) -> str:
    """Rows of one figure each."""
    lines = [
        (
            row["what"].strip(),
            f"{row['figure']:{'.2f' if row['figure'] < 10 else '.0f'}} {row['unit']}".rstrip(),
            _bar(_promise(row), is_met=row["verdict"] != "MISSED"),
        )
        for row in figures["rows"]
    ]
    return table(("figure", "", "bar"), lines)


def observers(figures: Figures) -> str:
    """What looking on costs."""
    lines = [(row["name"], f"{row['micros']:.1f}", f"{row['own']:.1f}") for row in figures["rows"]]
    return table(("observer", "us, all threads", "its own"), lines)


def goodput(figures: Figures) -> str:
    """What is got done while providers misbehave."""
    lines = [
        (
            row["name"],
            f"{min(run['metrics']['ratio'] for run in row['runs']):.3f}",
            ", ".join(f"{metric} {bar:g}" for metric, bar in row["bars"].items()) or "-",
            ", ".join(row["missed"]) or "-",
            "(?)" if row["doubts"] else "",
        )
        for row in figures["rows"]
        if row["runs"]
    ]
    return table(("scenario", "T*/T", "bars", "missed", ""), lines)


SECTIONS: Mapping[str, tuple[str, Callable[[Figures], str]]] = {
    "calls": ("Calls", calls),
    "threads": ("Threads", threads),
    "streams": ("Streams", streams),
    "batches": ("Batches", figures_and_bars),
    "observers": ("Observers", observers),
    "footprint": ("Footprint", figures_and_bars),
    "goodput": ("Goodput", goodput),
}
"""By the JSON file's name, in the order of the page."""


def _micros(taken: Figures) -> str:
    return f"{1e6 * taken['process']:.0f}"


def _bar(bar: str, *, is_met: bool) -> str:
    return bar if is_met else f"{bar} **missed**"


def _promise(row: Figures) -> str:
    if row["least"] is not None:
        return f">= {row['least']:g}"
    return "-" if row["most"] is None else f"<= {row['most']:g}"


def _parts(*parts: str | Sequence[object]) -> str:
    return "\n\n".join(str(part) for part in parts if part)
