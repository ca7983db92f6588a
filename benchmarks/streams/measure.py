"""What one provider's streams cost: by hand and through flyllm in turns, over the same bytes."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.streams.control import ServerProcess
from benchmarks.streams.hands import HANDS, Hand
from benchmarks.streams.ways import Reading, by_flyllm, manager_of, read

STREAMS = 5
"""Streams that a new client reads in turn before anything is timed, to see how many connections it opens for them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Words, an event each, of a short and a long stream, and how often both are read."""

    short: int
    long: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians. Microseconds of processor time per `event` and `fixed` per stream; of real time to the `first` text."""

    event: float
    fixed: float
    first: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both ways over the same bytes. `ratio` of an event's cost, flyllm / SDK: the median of those of each round."""

    sdk: Cost
    flyllm: Cost
    ratio: float


@dataclass(frozen=True, slots=True)
class Row:
    """One provider. `at_once`: all events are there when asked for; `paced`: each comes alone.

    connections: how many `STREAMS` streams opened by hand, and through flyllm.
    """

    target: str
    at_once: Comparison
    paced: Comparison
    connections: tuple[int, int]


Pair = tuple[Reading, Reading]
"""A short and a long stream, read one after the other."""


def measure(target: str, server: ServerProcess, at_once: Plan, paced: Plan) -> Row:
    """Read streams of `target` in both ways."""
    urls = server.urls[target.partition("/")[0]]
    first, connections = _compared(target, server, urls["at_once"], at_once)
    second, _ = _compared(target, server, urls["paced"], paced)
    return Row(target, first, second, connections)


def _compared(target: str, server: ServerProcess, url: str, plan: Plan) -> tuple[Comparison, tuple[int, int]]:
    with HANDS[target](url) as by_hand, manager_of(target, url) as manager:
        ways = by_hand, by_flyllm(manager)
        connections = _opened(ways[0], server, url, plan), _opened(ways[1], server, url, plan)
        pairs: list[list[Pair]] = [[], []]
        for number in range(plan.rounds):
            for way in (0, 1) if number % 2 else (1, 0):
                gc.collect()  # the garbage of the other way
                pairs[way].append((read(ways[way], plan.short), read(ways[way], plan.long)))
    return comparison(pairs[0], pairs[1], plan), connections


def _opened(ask: Hand, server: ServerProcess, url: str, plan: Plan) -> int:
    before = server.connections(url)
    for _ in range(STREAMS - 1):
        read(ask, plan.short)
    read(ask, plan.long)
    return server.connections(url) - before


def comparison(sdk: Sequence[Pair], flyllm: Sequence[Pair], plan: Plan) -> Comparison:
    """Return what the rounds say; one ratio for each, because a processor's speed changes all the time."""
    ratios = [_event(ours, plan) / _event(theirs, plan) for theirs, ours in zip(sdk, flyllm, strict=True)]
    return Comparison(cost(sdk, plan), cost(flyllm, plan), median(ratios))


def cost(pairs: Sequence[Pair], plan: Plan) -> Cost:
    """Return what both streams say together: what they have in common is the stream's, the rest their events'."""
    event = median(_event(pair, plan) for pair in pairs)
    fixed = median(short.cpu for short, _ in pairs) - plan.short * event
    return Cost(1e6 * event, 1e6 * fixed, 1e6 * median(short.first for short, _ in pairs))


def _event(pair: Pair, plan: Plan) -> float:
    short, long = pair
    return (long.cpu - short.cpu) / (plan.long - plan.short)
