"""Command line of the stream bench: `python -m benchmarks.streams`."""

import argparse
import gc
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from benchmarks.streams.control import ServerProcess
from benchmarks.streams.hands import HANDS
from benchmarks.streams.measure import Plan, Row, measure
from benchmarks.streams.report import LEGEND, as_json, head, line

AT_ONCE, PACED = Plan(short=50, long=1050, rounds=25), Plan(short=20, long=120, rounds=7)
QUICK = Plan(short=50, long=550, rounds=3), Plan(short=20, long=120, rounds=1)


def _arguments(names: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("provider", nargs="*", choices=[*names, []], metavar="provider", help=f"of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="few and short streams: to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    return parser.parse_args()


def _rows(targets: Sequence[str], at_once: Plan, paced: Plan) -> list[Row]:
    rows = []
    with ServerProcess(dict.fromkeys(target.partition("/")[0] for target in targets)) as server:
        print(head(), flush=True)
        for target in targets:
            rows.append(measure(target, server, at_once, paced))
            print(line(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Read the streams and print the table."""
    options = _arguments(list(HANDS))
    logging.getLogger("flyllm").addHandler(logging.NullHandler())
    gc.freeze()  # the modules of seven SDKs: no reader is to pay for walking over the others'
    at_once, paced = QUICK if options.quick else (AT_ONCE, PACED)
    rows = _rows(options.provider or list(HANDS), at_once, paced)
    print(f"\n{LEGEND}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(as_json(rows, at_once, paced), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
