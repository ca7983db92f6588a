"""Every stream cut at every byte: `python -m tests.contract.cuts`, about six minutes of CPU time.

The suite does a fixed part of this: all frames' ends, and every so many bytes.
`--sockets` cuts the smallest stream of every row before a whole manager, all three ways.
"""

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from tests.contract.streams.cut_server import HOWS, Pair
from tests.contract.streams.cutting import Judge
from tests.contract.streams.samples import ROWS, every, names, smallest

Faults = tuple[str, int, list[str]]
"""Which stream, at how many offsets it was cut, what was wrong."""


def in_memory(name: str, step: int = 1) -> Faults:
    """Cut one stream before the adapter's reader."""
    judge = Judge(every()[name])
    return name, len(judge.offsets(step)), list(judge.faults(step))


def over_sockets(row: tuple[str, str], step: int = 1) -> Faults:
    """Cut the smallest stream of a row before a manager."""
    sample = smallest()[row]
    with Pair(sample) as pair:
        cuts = range(0, len(sample.body) + 1, step)
        said = [fault for cut in cuts for how in HOWS if (fault := pair.wrong(cut, how))]
    return sample.id, len(cuts), said


def main() -> int:
    """Cut all streams on all cores and print every fault; return 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", action="store_true", help="over real sockets")
    parser.add_argument("--step", type=int, default=1, help="only every so many bytes")
    options = parser.parse_args()
    work: Callable[..., Faults] = over_sockets if options.sockets else in_memory
    every_one = ROWS if options.sockets else names()
    wrong = 0
    with ProcessPoolExecutor() as pool:
        for name, count, faults in pool.map(work, every_one, [options.step] * len(every_one)):
            print(f"{name:40} {count:6} offsets {len(faults):5} faults", *faults[:3], sep="\n  ", flush=True)
            wrong += len(faults)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
