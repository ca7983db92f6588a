"""Rules of the strategies."""

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyllm._routing.strategies import STRATEGY_NAMES, UNMEASURED, strategy_named
from tests.unit.fakes import ManualClock


@dataclass
class View:
    id: int
    last_selected: int = 0
    latency: float | None = None
    latency_updated: float = 1000.0
    in_flight: int = 0
    max_concurrency: int = 10
    name: str = "i"
    provider: str = "openai"
    model: str = "m"
    weight: float = 1.0


VIEWS = st.lists(
    st.builds(
        View,
        id=st.integers(0, 50),
        last_selected=st.integers(-1000, 1000),
        latency=st.none() | st.floats(0, 1000),
        latency_updated=st.floats(0, 2000),
        in_flight=st.integers(0, 64),
        max_concurrency=st.integers(1, 64),
        weight=st.floats(0.01, 100),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda view: view.id,
)


def test_the_names_are_the_contracts() -> None:
    """The original's three, and three more."""
    assert set(STRATEGY_NAMES) == {"lru", "lowest_latency", "random", "round_robin", "weighted", "least_busy"}
    with pytest.raises(KeyError):
        strategy_named("fastest", ManualClock())


@pytest.mark.parametrize("name", STRATEGY_NAMES)
@settings(max_examples=50)
@given(views=VIEWS, seed=st.integers())
def test_a_strategy_returns_a_candidate_and_changes_none(name: str, views: list[View], seed: int) -> None:
    """Choosing is pure: the result is one of the candidates, which stay as they were."""
    before = [repr(view) for view in views]
    assert strategy_named(name, ManualClock(seed)).select(views) in views
    assert [repr(view) for view in views] == before


def test_lru_takes_the_one_selected_longest_ago() -> None:
    """Of three stamps the oldest wins, wherever it stands."""
    views = [View(0, last_selected=7), View(1, last_selected=-3), View(2, last_selected=5)]
    assert strategy_named("lru", ManualClock()).select(views).id == 1


def test_random_is_uniform() -> None:
    """Over 10,000 draws among five each gets a fifth, within 4 standard deviations."""
    strategy, views = strategy_named("random", ManualClock(seed=7)), [View(n) for n in range(5)]
    counts = Counter(strategy.select(views).id for _ in range(10_000))
    assert set(counts) == set(range(5))
    assert all(abs(count - 2000) < 4 * 40 for count in counts.values())


def test_random_follows_the_weights() -> None:
    """Over 10,000 draws each gets its share of the weights, within 4 standard deviations."""
    views = [View(0, weight=1), View(1, weight=2), View(2, weight=7)]
    strategy = strategy_named("random", ManualClock(seed=7))
    counts = Counter(strategy.select(views).id for _ in range(10_000))
    for view in views:
        share = view.weight / 10
        assert abs(counts[view.id] - 10_000 * share) < 4 * (10_000 * share * (1 - share)) ** 0.5


def test_random_takes_the_upper_bound_of_a_draw() -> None:
    """`uniform` may return its upper bound, which is no index."""

    class Top(ManualClock):
        def uniform(self, low: float, high: float) -> float:
            return high

    assert strategy_named("random", Top()).select([View(0), View(1)]).id in (0, 1)


def choose(*views: View, now: float = 1000.0) -> int:
    clock = ManualClock()
    clock.now = now
    return strategy_named("lowest_latency", clock).select(views).id


def test_the_faster_one_is_preferred() -> None:
    """Two idle instances: the one that answers sooner."""
    assert choose(View(0, latency=2.0), View(1, latency=0.5)) == 1


def test_load_counts_like_latency() -> None:
    """A full instance counts as twice as slow, so a slightly slower idle one wins."""
    assert choose(View(0, latency=1.0, in_flight=10), View(1, latency=1.5)) == 1
    assert choose(View(0, latency=1.0, in_flight=10), View(1, latency=2.5)) == 0


def test_a_slow_one_is_tried_again_after_idleness() -> None:
    """What was slow two minutes ago may not be now: its latency fades until it is chosen once."""
    slow, fast = View(0, latency=9.0, latency_updated=1000.0), View(1, latency=1.0, latency_updated=1120.0)
    assert choose(slow, fast, now=1001.0) == 1
    assert choose(slow, fast, now=1120.0) == 0


def test_an_untried_one_counts_as_its_peers_median() -> None:
    """Having no latency is no advantage over the fastest, and no bar against the slowest."""
    fast, slow, untried = View(0, latency=0.5), View(1, latency=5.0), View(2, latency=None)
    assert choose(fast, slow, untried) == 0
    assert choose(slow, untried) in (1, 2)
    assert choose(View(1, latency=5.0), View(3, latency=7.0), untried) == 1
    assert choose(View(1, latency=9.0, in_flight=5), untried) == 2


def test_without_any_measurement_load_and_age_decide() -> None:
    """At the start the idle ones take turns."""
    assert UNMEASURED > 0
    assert choose(View(0, in_flight=1), View(1), View(2, last_selected=-5)) == 2


def test_a_failing_one_does_not_win_by_failing_fast() -> None:
    """An instance recorded with the failure floor loses against an ordinary one."""
    assert choose(View(0, latency=5.0), View(1, latency=1.2)) == 1


# In turn


def turns(name: str, views: list[View], count: int) -> list[int]:
    """The ids that `count` selections bring, with stamps kept as the pool keeps them."""
    strategy, chosen = strategy_named(name, ManualClock()), []
    for stamp in range(1, count + 1):
        view = strategy.select(views)
        view.last_selected = stamp
        chosen.append(view.id)
    return chosen


@given(st.integers(1, 8), st.integers(1, 5))
def test_round_robin_takes_everyone_once_a_round(count: int, rounds: int) -> None:
    """Each round has every candidate exactly once, always in the same order, whatever their weights."""
    views = [View(n, weight=1 + n) for n in range(count)]
    chosen = turns("round_robin", views, count * rounds)
    assert sorted(chosen[:count]) == list(range(count))
    assert chosen == chosen[:count] * rounds


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 3))
def test_weighted_is_exact_over_the_sum_of_the_weights(weights: list[int], rounds: int) -> None:
    """In every stretch of as many selections as the weights add up to, each comes exactly as often as its weight."""
    total = sum(weights)
    chosen = turns("weighted", [View(n, weight=w) for n, w in enumerate(weights)], total * rounds)
    for begin in range(0, total * rounds, total):
        counts = Counter(chosen[begin : begin + total])
        assert [counts[n] for n in range(len(weights))] == weights


def test_weighted_does_not_bunch() -> None:
    """The heavy one is not chosen all its times in a row: 5, 1, 1 is nginx's a a b a c a a."""
    assert turns("weighted", [View(0, weight=5), View(1, weight=1), View(2, weight=1)], 7) == [0, 0, 1, 0, 2, 0, 0]


@pytest.mark.parametrize("name", ["round_robin", "weighted"])
def test_who_comes_back_does_not_catch_up_on_what_it_missed(name: str) -> None:
    """After an absence it takes its turn again, not a flood."""
    views = [View(0), View(1), View(2)]
    strategy = strategy_named(name, ManualClock())
    for _ in range(30):
        strategy.select(views[:2])
    assert Counter(strategy.select(views).id for _ in range(9)) == {0: 3, 1: 3, 2: 3}


def test_least_busy_takes_the_fewest_in_flight() -> None:
    """Attempts in flight are counted, not latency, and of equals the one that waited longest is taken."""
    views = [View(0, in_flight=3, latency=0.1), View(1, in_flight=1, latency=9.0), View(2, in_flight=2)]
    assert strategy_named("least_busy", ManualClock()).select(views).id == 1
    equals = [View(0, last_selected=5), View(1, last_selected=2)]
    assert strategy_named("least_busy", ManualClock()).select(equals).id == 1


def test_least_busy_gives_the_heavy_more() -> None:
    """Twice the weight bears twice the attempts."""
    light, heavy = View(0, in_flight=1, weight=1), View(1, in_flight=2, weight=2)
    assert strategy_named("least_busy", ManualClock()).select([light, heavy]).id == 1
    heavy.in_flight = 4
    assert strategy_named("least_busy", ManualClock()).select([light, heavy]).id == 0
