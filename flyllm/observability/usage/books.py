"""Tallies by instance, task and outcome, and the report they make."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from flyllm.observability.usage.report import AttemptCounts, RequestCounts, UsageEntry, UsageReport
from flyllm.observability.usage.tally import Tally

Outcome = Literal["succeeded", "failed", "abandoned", "outrun"]

NOWHERE = -1
"""In place of an instance's id, for requests that reached none."""


class Place(NamedTuple):
    """An instance as the report shows it. `price_source` is None where its price is not known."""

    name: str
    provider: str
    model: str
    price_source: str | None


@dataclass(frozen=True, slots=True)
class Books:
    """What was counted `since` a moment: attempts by instance, task and outcome, requests by whether they succeeded."""

    since: float
    attempts: Mapping[tuple[int, str, Outcome], Tally]
    requests: Mapping[tuple[int, str, bool], int]

    def report(self, places: Mapping[int, Place]) -> UsageReport:
        """Return the report over the instances in `places`."""
        total, instances, tasks = _Group(), defaultdict[int, _Group](_Group), defaultdict[str, _Group](_Group)
        for (instance, task, outcome), tally in self.attempts.items():
            for group in (total, instances[instance], tasks[task]):
                group.count_attempts(instance, outcome, tally)
        for (instance, task, succeeded), count in self.requests.items():
            for group in (total, instances[instance], tasks[task]):
                group.requests[succeeded] += count
        return UsageReport(
            self.since,
            total.entry("total", places),
            tuple(_located(number, places[number], instances[number], places) for number in sorted(places)),
            tuple(tasks[name].entry(name, places) for name in sorted(tasks)),
        )


class _Group:
    def __init__(self) -> None:
        self.requests = {True: 0, False: 0}
        self._tallies: dict[Outcome, Tally] = defaultdict(Tally)
        self._instances: set[int] = set()

    def count_attempts(self, instance: int, outcome: Outcome, tally: Tally) -> None:
        self._instances.add(instance)
        self._tallies[outcome].merge(tally)

    def entry(self, name: str, places: Mapping[int, Place]) -> UsageEntry:
        answers, discarded = self._tallies["succeeded"], Tally()
        for outcome in ("failed", "abandoned", "outrun"):
            discarded.merge(self._tallies[outcome])
        sources = {places[number].price_source for number in self._instances}
        return UsageEntry(
            name,
            RequestCounts(self.requests[True], self.requests[False]),
            AttemptCounts(**{outcome: tally.attempts for outcome, tally in self._tallies.items()}),
            answers.copy().merge(discarded).spent(),
            answers.spent(),
            discarded.spent(),
            tuple(sorted(source for source in sources if source is not None)),
        )


def _located(number: int, place: Place, group: _Group, places: Mapping[int, Place]) -> UsageEntry:
    entry = group.entry(place.name, places)
    sources = () if place.price_source is None else (place.price_source,)
    return replace(entry, price_sources=sources, instance_id=number, provider=place.provider, model=place.model)
