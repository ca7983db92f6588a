"""From single runs to a row: minimum and mean over the seeds, the worst run against each bar."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from benchmarks.goodput.measure import Measurement
from benchmarks.goodput.scenario import Bar, Scenario

BUSY = 0.6
"""Share of a core from which a process may itself have slowed the run."""
DISTURBED = 0.25
"""Cores taken by other processes from which the figures are not to be trusted."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A bar and the worst figure that did not reach it."""

    bar: Bar
    worst: float

    def __str__(self) -> str:
        least = self.bar.least > -math.inf
        sign, limit = ("<", self.bar.least) if least else (">", self.bar.most)
        return f"{self.bar.metric} {self.worst:.3g} {sign} {limit:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """A scenario and its runs; `refusal` says why there are none."""

    scenario: Scenario
    runs: Sequence[Measurement] = ()
    refusal: str = ""
    missed: Sequence[Missed] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "missed", [*_missed(self)] if self.runs else [])

    def all(self, metric: str) -> list[float]:
        """Return the metric of every run."""
        return [run.metrics[metric] for run in self.runs]

    def least(self, metric: str) -> float:
        """Return the lowest of the runs."""
        return min(self.all(metric))

    def most(self, metric: str) -> float:
        """Return the highest of the runs."""
        return max(self.all(metric))

    def mean(self, metric: str) -> float:
        """Return the mean of the runs."""
        return fmean(self.all(metric))

    @property
    def mean_best(self) -> float:
        """Return the mean T*."""
        return fmean(run.best for run in self.runs)

    @property
    def doubts(self) -> list[str]:
        """Reasons not to trust the figures."""
        found = [
            f"{who} busy {self.most(f'{who}_share'):.0%}"
            for who in ("client", "server")
            if self.most(f"{who}_share") > BUSY
        ]
        if self.most("others_share") > DISTURBED:
            found.append(f"other processes took {self.most('others_share'):.0%} of a core")
        if self.most("ratio") > 1.0:
            found.append("faster than the optimum: the server's script is wrong")
        return found


def _missed(row: Row) -> Iterable[Missed]:
    for bar in row.scenario.bars:
        worst = row.least(bar.metric) if bar.least > -math.inf else row.most(bar.metric)
        if not bar.holds(worst):
            yield Missed(bar, worst)
