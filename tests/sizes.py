"""Lines per module and function of the package: `python -m tests.sizes` prints them, a test holds the caps."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

PACKAGE = Path(__file__).parent.parent / "flyllm"


def modules() -> dict[str, int]:
    """Return the lines of every module of the package."""
    return {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}


def functions() -> dict[str, int]:
    """Return the lines of every function of the package, its docstring included."""
    return {f"{path.relative_to(PACKAGE)}:{node.name}:{node.lineno}": size for path, node, size in _functions()}


def _functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node, (node.end_lineno or node.lineno) - node.lineno + 1


def summary(sizes: dict[str, int]) -> str:
    """Return count, median, 90th percentile and maximum of `sizes`."""
    lines = sorted(sizes.values())
    longest = max(sizes, key=lambda name: sizes[name])
    return (
        f"{len(lines)}: median {median(lines):.0f}, p90 {quantiles(lines, n=10)[-1]:.0f}, max {lines[-1]} ({longest})"
    )


if __name__ == "__main__":
    print("modules  ", summary(modules()))
    print("functions", summary(functions()))
