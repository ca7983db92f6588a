"""The bench's scenarios and its providers' rules are what the table says they are."""

import json
import math

import pytest

from benchmarks.goodput.scenarios import W, all_scenarios
from benchmarks.goodput.server.rates import Bucket, Window
from benchmarks.goodput.world import RateLimit, flapping, service_times, world_from_json

SCENARIOS = {scenario.name: scenario for scenario in all_scenarios()}


def test_names_are_unique():
    assert len(SCENARIOS) == len(all_scenarios())


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_scenario_can_be_served(scenario):
    best = scenario.best(1, scenario.requests)
    assert 20.0 < best < 500.0


@pytest.mark.parametrize(("name", "seconds"), [
    ("fault-free", 47), ("fails-fast", 62.7), ("hangs-long", 416), ("down-first", 52), ("all-down-error", 107),
])  # fmt: skip
def test_the_optimum_is_the_model_s(name, seconds):
    mean = sum(service_times(1, SCENARIOS[name].requests)) / SCENARIOS[name].requests
    best = SCENARIOS[name].best(1, SCENARIOS[name].requests)
    assert best == pytest.approx(seconds, rel=0.04)
    assert mean == pytest.approx(1.0, abs=0.04)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_world_survives_the_control_channel(scenario):
    world = scenario.world(3)
    assert world_from_json(json.loads(json.dumps(world.as_json()))) == world


def test_bars_of_goodput_are_on_batches_long_enough():
    judged = [s for s in SCENARIOS.values() if any(bar.metric == "ratio" for bar in s.bars)]
    headline = [s for s in judged if s.providers[0].ceiling is None]
    assert all(scenario.requests >= 47 * scenario.client.workers for scenario in headline)
    assert SCENARIOS["fault-free-100"].requests == 100 * W


def test_service_times_are_the_same_for_everybody():
    assert service_times(5, 10) == service_times(5, 10)
    assert service_times(5, 10) != service_times(6, 10)


def test_flapping_is_down_first():
    assert [(o.begin, o.end) for o in flapping(10, 40, "error")] == [(0, 10), (20, 30)]


def test_a_bucket_gives_its_burst_then_its_rate():
    bucket = Bucket(RateLimit(burst=3, per_second=2.0))
    assert [bucket.admit(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.admit(0.5), bucket.admit(0.5)] == [True, False]


def test_a_refused_request_may_cost_what_had_accumulated():
    charging = Bucket(RateLimit(burst=1, per_second=1.0, charge_refused=True))
    assert [charging.admit(0.0), charging.admit(0.9), charging.admit(1.8), charging.admit(3.0)] == [
        True, False, False, True,
    ]  # fmt: skip


def test_a_window_counts_the_last_minute():
    window = Window(RateLimit(burst=2, per_second=2 / 60), tolerance=1.0)
    assert [window.admit(t) for t in (0.0, 30.0, 58.9, 59.0, 88.9, 89.0)] == [True, True, False, True, False, True]


def test_outages_may_last_for_ever():
    (outage,) = SCENARIOS["fails-fast"].providers[0].outages
    assert outage.end == math.inf
