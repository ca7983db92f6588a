"""Command line of the batch bench: `python -m benchmarks.batches`."""

import argparse
import gc
import json
import logging
from pathlib import Path

from benchmarks.batches.plan import FULL, QUICK, Plan
from benchmarks.batches.report import LEGEND, as_json, head, line, server_line
from benchmarks.batches.rows import HTTP_DELAY, Row, memory_rows, processor_row, wall_row, walls
from benchmarks.batches.wall import DELAY, Walls, warm_up
from benchmarks.processes import server


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batches", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything, one round: to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    return parser.parse_args()


def _measure(plan: Plan) -> tuple[list[Row], list[Walls]]:
    rows, found = [], []
    slow, fast = f"openai:{DELAY}", f"openai:{HTTP_DELAY}"
    with server(slow, fast) as providers:
        urls = providers.hear()
        warm_up(urls[fast])
        for one in walls(plan, providers, urls[slow]):
            found.append(one)
            rows.append(_shown(wall_row(one)))
        rows.extend(map(_shown, memory_rows(plan, urls[fast])))
    rows.append(_shown(processor_row(plan)))
    return rows, found


def _shown(row: Row) -> Row:
    print(line(row), flush=True)
    return row


def main() -> None:
    """Measure and print the table."""
    options = _arguments()
    logging.getLogger("flyllm").addHandler(logging.NullHandler())
    gc.freeze()  # the SDK's modules: no way is to pay for walking over them
    plan = QUICK if options.quick else FULL
    print(head(), flush=True)
    rows, found = _measure(plan)
    print(f"\n{LEGEND}\n")
    print("\n".join(map(server_line, found)))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(as_json(rows, found, plan), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
