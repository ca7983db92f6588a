"""Command line of the goodput bench: `python -m benchmarks.goodput`."""

import argparse
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.goodput.capacity import server_capacity
from benchmarks.goodput.control import ServerProcess
from benchmarks.goodput.measure import measure
from benchmarks.goodput.overhead import Overhead, overheads
from benchmarks.goodput.report import LEGEND, as_json, doubts, head, line, server_load
from benchmarks.goodput.scenario import Scenario
from benchmarks.goodput.scenarios import all_scenarios
from benchmarks.goodput.summary import Row
from flyllm.errors import LLMError


def _arguments(names: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.goodput", description=__doc__)
    parser.add_argument("--scenario", action="append", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--seeds", type=int, help="runs per scenario, instead of each one's own number")
    parser.add_argument("--quick", action="store_true", help="one seed, half the requests: to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    return parser.parse_args()


def _chosen(scenarios: Sequence[Scenario], options: argparse.Namespace) -> list[Scenario]:
    chosen = [s for s in scenarios if s.name in options.scenario] if options.scenario else list(scenarios)
    if options.quick:
        chosen = [replace(s, requests=s.requests // 2, seeds=1) for s in chosen if s.in_quick or options.scenario]
    return [replace(s, seeds=options.seeds) for s in chosen] if options.seeds else chosen


def _row(scenario: Scenario, server: ServerProcess) -> Row:
    try:
        return Row(scenario, [measure(scenario, seed, server) for seed in range(1, scenario.seeds + 1)])
    except LLMError as error:
        return Row(scenario, refusal=" ".join(str(error).split()))


def _rows(chosen: Sequence[Scenario], server: ServerProcess) -> list[Row]:
    rows = []
    print(head(), flush=True)
    for scenario in chosen:
        rows.append(_row(scenario, server))
        print(line(rows[-1]), flush=True)
    return rows


def _overheads(options: argparse.Namespace) -> list[Overhead]:
    if options.scenario:
        return []
    print("\nProcessor time per request of flyllm itself, adapters replaced by a sleep:")
    found = overheads()
    print("\n".join(f"  {each}" for each in found), flush=True)
    return found


def _silence() -> None:
    # As an application with logging does: otherwise every failed request is printed, and that is timed.
    logging.getLogger("flyllm").addHandler(logging.NullHandler())
    logging.getLogger("flyllm").propagate = False


def main() -> None:
    """Run the scenarios and print the table."""
    scenarios = all_scenarios()
    options = _arguments([scenario.name for scenario in scenarios])
    _silence()
    began = time.monotonic()
    with ServerProcess() as server:
        capacity = server_capacity(server)
        rows = _rows(_chosen(scenarios, options), server)
    costs = _overheads(options)
    print(f"\n{LEGEND}\n{server_load(rows, capacity)} {time.monotonic() - began:.0f} s in all.")
    print("\n".join(doubts(rows)))
    if options.quick:
        print("--quick: half the requests, so the unavoidable tail is twice as long; not to be compared with the bars.")
    if options.json:
        figures = {**as_json(rows, capacity, quick=options.quick), "overheads": [asdict(each) for each in costs]}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
