"""Turns are those of the algorithm written out, whoever comes and goes."""

import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm._routing.strategies import strategy_named
from tests.unit.fakes import ManualClock
from tests.unit.routing.test_strategies import View


@dataclass
class WrittenOut:
    """Nginx's smooth weighted round robin: everyone's score grows, the highest is chosen and pays all."""

    scores: dict[int, float]
    even: bool

    def select(self, candidates: tuple[View, ...]) -> View:
        weights = {view.id: 1.0 if self.even else view.weight for view in candidates}
        for view in candidates:
            self.scores[view.id] = self.scores.get(view.id, 0.0) + weights[view.id]
        chosen = max(candidates, key=lambda view: (self.scores[view.id], -view.last_selected))
        self.scores[chosen.id] -= sum(weights.values())
        return chosen


@pytest.mark.parametrize("name", ["round_robin", "weighted"])
@given(weights=st.lists(st.integers(1, 5), min_size=1, max_size=7), seed=st.integers())
def test_the_same_are_chosen_as_by_the_algorithm_written_out(name: str, weights: list[int], seed: int) -> None:
    """Also where the candidates change now and then, as a tuple that is new then and the same until then."""
    draw = random.Random(seed)
    views = [View(number, last_selected=-draw.randint(1, 10**6), weight=w) for number, w in enumerate(weights)]
    strategy, reference = strategy_named(name, ManualClock()), WrittenOut({}, name == "round_robin")
    candidates = tuple(views)
    for stamp in range(1, 100):
        if draw.random() < 0.1:
            candidates = tuple(view for view in views if draw.random() < 0.7) or candidates
        chosen = strategy.select(candidates)
        assert chosen is reference.select(candidates)
        chosen.last_selected = stamp
