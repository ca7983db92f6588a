"""More seeds than the suite runs: `python -m tests.simulation --seeds 20000`, or one again: `--seed 17`."""

import argparse
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.worlds import run_world


def _failure(seed: int) -> tuple[int, str] | None:
    try:
        run_world(seed)
    except Exception:
        return seed, traceback.format_exc()
    return None


def main() -> int:
    """Run the seeds on all cores, print every failure, and return how many there were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first one")
    parser.add_argument("--seed", type=int, help="only this one, twice, and show its digest")
    options = parser.parse_args()
    if options.seed is not None:
        print(run_world(options.seed), run_world(options.seed))
        return 0
    began, failures = time.monotonic(), 0
    with ProcessPoolExecutor() as workers:
        seeds = range(options.first, options.first + options.seeds)
        for failure in workers.map(_failure, seeds, chunksize=20):
            if failure is not None:
                failures += 1
                print(f"seed {failure[0]}:\n{failure[1]}", flush=True)
    print(f"{options.seeds} seeds, {failures} failures, {time.monotonic() - began:.0f} s")
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
