"""The bench's T*: the examples are small enough to be done by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.goodput.optimum import Limit, Supply, optimum, served

WELL = Supply(slots=8, service=1.0)


def best(*supplies: Supply, workers: int = 32, requests: int = 1504, longest: float = 0.0) -> float:
    return optimum(supplies, workers, requests, longest)


def test_without_faults_it_is_the_work_over_the_slots():
    assert best(WELL, WELL, WELL, WELL) == pytest.approx(47.0)


def test_an_instance_that_is_always_down_gives_nothing():
    dead = Supply(slots=8, service=1.0, down=((0.0, math.inf),))
    assert best(dead, WELL, WELL, WELL) == pytest.approx(1504 / 24)


def test_an_outage_of_all_instances_is_added_whole():
    assert best(*[Supply(8, 1.0, down=((10.0, 70.0),))] * 4) == pytest.approx(107.0)


def test_an_outage_that_begins_after_the_end_costs_nothing():
    assert best(*[Supply(8, 1.0, down=((50.0, 110.0),))] * 4) == pytest.approx(47.0)


def test_one_of_four_down_first_costs_its_share_of_that_time():
    late = Supply(slots=8, service=1.0, down=((0.0, 20.0),))
    assert best(late, WELL, WELL, WELL) == pytest.approx(52.0)


def test_flapping_counts_the_time_up_until_then():
    # At T = 50 it was up for 20 s, and it is until 60: 24 T + 8 (20 + T - 50) = 1504.
    flapping = Supply(8, 1.0, down=tuple((20.0 * n, 20.0 * n + 10.0) for n in range(30)))
    assert best(flapping, WELL, WELL, WELL) == pytest.approx(54.5)
    assert flapping.uptime(65.0) == pytest.approx(30.0)


def test_fewer_workers_than_slots_bind():
    assert best(WELL, WELL, WELL, WELL, workers=16) == pytest.approx(94.0)


def test_workers_go_to_the_fastest_instances_first():
    # 16 workers: 8 at 0.5 s give 16 a second, 8 at 1 s give 8; the slow ones are left alone.
    speeds = [Supply(8, service) for service in (4.0, 0.5, 2.0, 1.0)]
    assert best(*speeds, workers=16, requests=2400) == pytest.approx(100.0)


def test_a_worker_in_part_goes_to_the_next_instance():
    # 12 workers: 8 at 0.5 s give 16 a second, the other 4 at 1 s give 4.
    assert best(Supply(8, 0.5), Supply(8, 1.0), workers=12, requests=2000) == pytest.approx(100.0)


def test_errors_cost_their_time_in_proportion_to_successes():
    # At 20 % there is one error of 0.4 s for every four successes.
    erring = Supply(8, 1.0, error_rate=0.2, error_seconds=0.4)
    assert erring.busy == pytest.approx(1.1)
    assert best(*[erring] * 4) == pytest.approx(47.0 * 1.1)


def test_a_rate_limit_gives_its_burst_and_then_its_rate():
    limited = Supply(8, 0.1, limits=(Limit(burst=120, per_second=2.0),))
    assert best(*[limited] * 4, requests=1440) == pytest.approx(120.0)


def test_failed_attempts_take_from_a_request_limit():
    limited = Supply(8, 0.1, error_rate=0.5, limits=(Limit(burst=100, per_second=2.0),))
    # (100 + 2 T) / 2 = 150
    assert best(limited, requests=150) == pytest.approx(100.0)


def test_a_token_limit_divides_by_the_tokens_of_a_request():
    limited = Supply(8, 0.1, limits=(Limit(burst=6000, per_second=100.0, cost=50.0, per_attempt=False),))
    assert best(limited, requests=320) == pytest.approx(100.0)


def test_it_is_never_shorter_than_the_longest_single_service():
    assert best(WELL, requests=8, longest=3.5) == pytest.approx(3.5)


def test_what_can_never_be_served_is_refused():
    with pytest.raises(ValueError, match="cannot be served"):
        best(Supply(8, 1.0, down=((5.0, math.inf),)))


supplies = st.lists(
    st.builds(
        Supply,
        slots=st.integers(1, 50),
        service=st.floats(0.01, 10),
        error_rate=st.floats(0, 0.9),
        error_seconds=st.floats(0, 5),
        limits=st.sampled_from([(), (Limit(10, 2.0),)]),
        down=st.sampled_from([(), ((0.0, 7.0),), ((3.0, 4.0), (9.0, 12.0))]),
    ),
    min_size=1,
    max_size=5,
)


@given(supplies, st.integers(1, 100), st.floats(0, 100), st.floats(0, 100))
def test_more_time_never_serves_fewer(instances, workers, first, more):
    assert served(instances, workers, first) <= served(instances, workers, first + more) * (1 + 1e-9) + 1e-9


@given(supplies, st.integers(1, 100), st.integers(1, 5000))
def test_exactly_the_requests_are_served_by_it(instances, workers, requests):
    assert served(instances, workers, optimum(instances, workers, requests)) == pytest.approx(
        requests, rel=1e-3, abs=0.1
    )


@given(supplies, st.integers(1, 100), st.integers(1, 5000))
def test_another_instance_never_makes_it_longer(instances, workers, requests):
    before = optimum(instances, workers, requests)
    assert optimum([*instances, WELL], workers, requests) <= before * (1 + 1e-5) + 1e-5
