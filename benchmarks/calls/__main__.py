"""Command line of the call bench: `python -m benchmarks.calls`."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from benchmarks.about import write_json
from benchmarks.bare import bare_wall
from benchmarks.calls.measure import Plan, Row, measure
from benchmarks.calls.report import LEGEND, as_json, head, line, peer_lines, share_line
from benchmarks.calls.share import Share, shares
from benchmarks.processes import Child, server
from benchmarks.sdks import SDKS

FULL, QUICK = Plan(calls=10, rounds=80), Plan(calls=10, rounds=10)
PEERS_ASK = "openai"
"""The provider at which other libraries are asked, too."""

_AT_ONCE = 64
"""Connections over which the server is asked for as much as it can give."""


def _arguments(names: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description=__doc__)
    parser.add_argument("provider", nargs="*", choices=[*names, []], metavar="provider", help=f"of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="few calls: to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    parser.add_argument("--peers", metavar="PYTHON", help="of an environment with litellm and any-llm-sdk[openai]")
    return parser.parse_args()


def _rows(providers: Sequence[str], process: Child, urls: dict[str, str], plan: Plan, peers: str | None) -> list[Row]:
    rows = []
    print(head(), flush=True)
    for name in providers:
        rows.append(measure(name, process, urls[f"{name}:0"], plan, peers if name == PEERS_ASK else None))
        print(line(rows[-1]), flush=True)
    return rows


def _shares(url: str, plan: Plan) -> list[Share]:
    print("\nflyllm's own share, processor time per request over an adapter that answers at once:")
    found = shares(url, 20 * plan.calls, plan.rounds // 2)
    print("\n".join(map(share_line, found)))
    return found


def main() -> None:
    """Make the calls and print the table."""
    options = _arguments(list(SDKS))
    logging.getLogger("flyllm").addHandler(logging.NullHandler())
    plan = QUICK if options.quick else FULL
    providers = options.provider or list(SDKS)
    with server(*(f"{name}:0" for name in {PEERS_ASK: 0, **dict.fromkeys(providers)})) as process:
        urls = process.hear()
        url = urls[f"{PEERS_ASK}:0"]
        bare_wall(url, _AT_ONCE, _AT_ONCE)
        capacity = 2000 / bare_wall(url, 2000, _AT_ONCE)
        rows = _rows(providers, process, urls, plan, options.peers)
        found = _shares(url, plan)
    fastest = max(1 / taken.wall for row in rows for each in row.rounds for taken in each.values())
    print(f"\n{LEGEND}\n")
    print("\n".join(peer_lines(rows)))
    print(f"The server alone answers {capacity:.0f} requests/s; no way asked more than {fastest:.0f}.")
    write_json(options.json, as_json(rows, found, capacity, plan, options.quick))


if __name__ == "__main__":
    main()
