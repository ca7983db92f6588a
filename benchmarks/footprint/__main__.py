"""Command line of the footprint bench: `python -m benchmarks.footprint`."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.about import about, write_json
from benchmarks.batches.report import line
from benchmarks.batches.resident import IS_TOLD
from benchmarks.batches.rows import MOST_QUEUED, Row
from benchmarks.footprint.started import added
from benchmarks.processes import Child
from flyllm._routing.strategies import STRATEGY_NAMES
from flyllm.providers.registry import REGISTRY

THREADS = (1, 8, 32, 128, 256)
SIZES = (5, 500)
IMPORTS = ("import flyllm", "from flyllm import LLMManager")
"""Names of the package are imported when they are asked for: the second is what everybody pays."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.footprint", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything: to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    return parser.parse_args()


def _rows(quick: bool) -> Iterator[Row]:
    yield from _import(5 if quick else 15)
    yield from _build(3 if quick else 7)
    yield from _selection(50 if quick else 200)
    yield from _threads(512 if quick else 2560)
    if IS_TOLD:
        for form in ("text", "request"):
            found = _measured("benchmarks.batches.measured", "queued", 5_000 if quick else 50_000, form)
            yield Row(f"memory of one queued, {form}", found["bytes"], "B", "in batch_generate", most=MOST_QUEUED)
    found = _measured("benchmarks.footprint.measured", "contexts", *(set(REGISTRY) - {"ollama"}))
    yield Row("TLS contexts with roots", found["contexts"], "", "two instances of each other provider in use", most=1)
    found = _measured("benchmarks.footprint.measured", "contexts", "ollama")
    yield Row("the same, ollama", found["contexts"], "", "whose SDK makes one of its own when it is imported")


def _import(rounds: int) -> Iterator[Row]:
    for script in IMPORTS:
        found = added(script, rounds)
        yield Row(script, 1e3 * found.cpu, "ms", "CPU, over bare Python", most=60)
        if IS_TOLD:
            yield Row("  its memory", found.memory / 1e6, "MB", "over bare Python", most=12)


def _build(rounds: int) -> Iterator[Row]:
    size = SIZES[-1]
    found = [_measured("benchmarks.footprint.measured", "build", size) for _ in range(rounds)]
    middle = sorted(found, key=lambda each: each["seconds"])[len(found) // 2]
    yield Row(f"build(), {size} instances", 1e3 * middle["seconds"], "ms", "CPU", most=100)
    yield Row(f"memory of {size} instances", middle["bytes"] / 1e6, "MB")
    yield Row("clients before first use", max(each["clients"] + each["sdks"] for each in found), "", "", most=0)


def _selection(requests: int) -> Iterator[Row]:
    for size in SIZES:
        for name in STRATEGY_NAMES:
            found = _measured("benchmarks.footprint.measured", "select", size, name, requests)
            most = 50 if size == SIZES[-1] else None
            remark = "CPU of taking a place and giving it back"
            yield Row(f"choosing of {size}, {name}", 1e6 * found["seconds"], "us", remark, most=most)


def _threads(requests: int) -> Iterator[Row]:
    for queueing in (False, True):
        first = 0.0
        for threads in THREADS[1:] if queueing else THREADS:
            places = max(4, threads // 2) if queueing else 512
            found = _measured("benchmarks.footprint.measured", "schedule", threads, places, requests)
            first = first or found["seconds"]
            what = f"a request, {threads} threads" + (", half queueing" if queueing else "")
            remark = (
                f"CPU of generate() above an adapter that sleeps, {found['seconds'] / first:.2f} of the first; "
                f"a thread that only sleeps takes {1e6 * found['bare']:.0f} us"
            )
            yield Row(what, 1e6 * found["seconds"], "us", remark, most=150)


def _measured(module: str, *arguments: object) -> dict[str, float]:
    with Child(module, *arguments) as child:
        return child.hear()


def main() -> None:
    """Measure and print the table."""
    options = _arguments()
    rows = []
    for row in _rows(options.quick):
        rows.append(row)
        print(line(row), flush=True)
    told = [{**asdict(row), "verdict": row.verdict} for row in rows]
    write_json(options.json, {**about(quick=options.quick), "rows": told})


if __name__ == "__main__":
    main()
