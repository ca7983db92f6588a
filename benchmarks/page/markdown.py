"""Tables and bars in Markdown."""

from collections.abc import Mapping, Sequence

WIDTH = 40
"""Characters of the longest bar."""

_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table whose first column is text and whose others are figures."""
    aligned = [":--", *["--:"] * (len(titles) - 1)]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (titles, aligned, *rows))


def bars(figures: Mapping[str, float], most: float | None = None) -> str:
    """Return a bar for each figure, the longest `most` wide (None for the greatest figure), what is above it cut."""
    most = most or max(figures.values())
    names = max(map(len, figures))
    lines = [f"{name:<{names}}  {figure:6.2f}  {_bar(figure, most)}" for name, figure in figures.items()]
    return "\n".join(["```", *lines, "```"])


def _bar(figure: float, most: float) -> str:
    eighths = round(8 * WIDTH * min(figure, most) / most)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8] + ("…" if figure > most else "")
