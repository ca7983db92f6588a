"""How much is done for a table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """Requests of each part, and `rounds` in which the ways take turns."""

    walls: int
    rounds: int
    flow: int
    over_http: int
    journalled: int
    queued: int
    processor: int


FULL = Plan(2_000, 3, 1_000_000, 20_000, 200_000, 100_000, 20_000)
QUICK = Plan(640, 1, 100_000, 2_000, 20_000, 20_000, 5_000)
