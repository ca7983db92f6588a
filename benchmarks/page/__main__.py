"""Command line: writes the figures of `build/bench` into `docs/benchmarks.md`, between its markers."""

import argparse
import json
from pathlib import Path

from benchmarks.page.sections import SECTIONS, Figures

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
ROOT = Path(__file__).parents[2]


def page(folder: Path) -> str:
    """Return the figures of all benches that have left theirs in `folder`."""
    parts = []
    for name, (title, section) in SECTIONS.items():
        file = folder / f"{name}.json"
        if file.exists():
            figures = json.loads(file.read_text(encoding="utf-8"))
            parts.append(f"### {title}\n\n{_about(figures)}\n\n{section(figures)}")
    return "\n\n".join(parts)


def put_between(text: str, figures: str) -> str:
    """Return `text` with `figures` between its markers.

    Raises:
        ValueError: it has no markers.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}"


def _about(figures: Figures) -> str:
    machine = figures["machine"]
    versions = figures.get("versions", figures.get("sdks", {}))
    packages = ", ".join(f"{name} {version}" for name, version in versions.items() if name != "flyllm")
    flyllm = figures.get("flyllm") or versions.get("flyllm", "")
    where = ", ".join(
        text
        for text in (
            f"flyllm {flyllm}" + (f" ({figures['commit']})" if figures.get("commit") else ""),
            f"Python {figures.get('python') or machine.get('python')}",
            f"{machine.get('processors') or machine.get('cpus')} processors",
            machine.get("processor", ""),
            machine.get("system") or machine.get("platform", ""),
        )
        if text
    )
    quick = " A quick run: it shows that the bench runs, its figures are rough." if figures.get("quick") else ""
    return f"{where}; {packages}.{quick}"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench", help="where the benches' JSON is")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    options = parser.parse_args()
    text = options.page.read_text(encoding="utf-8")
    options.page.write_text(put_between(text, page(options.folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
