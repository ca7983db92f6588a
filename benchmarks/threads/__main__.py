"""Command line of the thread bench: `python -m benchmarks.threads`."""

import argparse
import gc
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.about import write_json
from benchmarks.processes import server
from benchmarks.sdks import SDKS
from benchmarks.threads.measure import DELAY, Row, measure
from benchmarks.threads.report import LEGEND, as_json, head, line

FULL: Mapping[int, int] = {32: 640, 128: 1280, 256: 1792}
QUICK: Mapping[int, int] = {32: 256, 256: 1024}
"""Requests by threads."""

ROUNDS = 3


def _arguments(names: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.threads", description=__doc__)
    parser.add_argument("provider", nargs="*", choices=[*names, []], metavar="provider", help=f"of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="less of everything, one round: to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    return parser.parse_args()


def main() -> None:
    """Measure and print the table."""
    options = _arguments(list(SDKS))
    logging.getLogger("flyllm").addHandler(logging.NullHandler())
    gc.freeze()  # the SDKs' modules: no way is to pay for walking over them
    providers, plan = options.provider or list(SDKS), QUICK if options.quick else FULL
    rows: list[Row] = []
    with server(*(f"{name}:{DELAY}" for name in providers)) as process:
        urls = process.hear()
        print(head(), flush=True)
        for name in providers:
            for threads, requests in plan.items():
                url, rounds = urls[f"{name}:{DELAY}"], 1 if options.quick else ROUNDS
                rows.append(measure(name, process, url, threads, requests, rounds))
                print(line(rows[-1]), flush=True)
    print(f"\n{LEGEND}")
    write_json(options.json, as_json(rows, options.quick))


if __name__ == "__main__":
    main()
