"""More seeds than the suite runs: `python -m tests.simulation --seeds 20000`, or one again: `--seed 17`.

`--figures` prints what the promised figures come to in simulated time.
"""

import argparse
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.figures import SCENARIOS
from tests.simulation.worlds import run_world


def _failure(seed: int) -> tuple[int, str] | None:
    try:
        run_world(seed)
    except Exception:
        return seed, traceback.format_exc()
    return None


def _figures(name: str) -> str:
    runs = [SCENARIOS[name].run(seed) for seed in range(5)]
    ratios, wires = [run.ratio for run in runs], [run.wire for run in runs]
    figures = f"{sum(ratios) / 5:.3f} {min(ratios):.3f}  {sum(wires) / 5:.3f} {max(wires):.3f}"
    return f"{name:24} {figures}  {max(run.lost for run in runs):4} {max(run.late for run in runs):6.1f}"


def main() -> int:
    """Run the seeds on all cores, print every failure, and return how many there were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first one")
    parser.add_argument("--seed", type=int, help="only this one, twice, and show its digest")
    parser.add_argument("--figures", action="store_true", help="goodput over the optimum, attempts, losses")
    options = parser.parse_args()
    if options.figures:
        print(f"{'5 seeds':24} T*/T mean, min; wire mean, max; lost; seconds beyond T*")
        with ProcessPoolExecutor() as workers:
            for line in workers.map(_figures, SCENARIOS):
                print(line, flush=True)
        return 0
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
