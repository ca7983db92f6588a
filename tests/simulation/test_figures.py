"""The promised figures (RELIABILITY.md, sections 1 and 4) of the real core, in simulated time: bars are promises.

The seed is fixed, so nothing here is flaky. `python -m tests.simulation --figures` runs several, and says the worst.
"""

import math
from dataclasses import replace
from functools import cache

import pytest

from flyllm._routing.strategies import STRATEGY_NAMES
from tests.simulation.engine import Settings, Simulation
from tests.simulation.figures import PER_INSTANCE, SCENARIOS, WELL, Outcome, Scenario
from tests.simulation.server import Behaviour, Outage
from tests.unit.fakes import instance


@cache
def outcome(name: str) -> Outcome:
    return SCENARIOS[name].run(0)


def check(name: str, ratio: float, wire: float = math.inf) -> Outcome:
    """Check that nothing is lost, and the bars for goodput over the optimum and for attempts per request."""
    run = outcome(name)
    assert run.lost == 0
    assert run.ratio >= ratio
    assert run.ratio <= 1.0, "faster than possible: the model is wrong"
    assert run.wire <= wire
    return run


def test_without_faults_the_optimum_is_nearly_reached() -> None:
    """What is missing is the unavoidable tail: the last requests keep only some of the places busy."""
    check("fault-free", 0.92, 1.0)


@pytest.mark.parametrize("strategy", STRATEGY_NAMES)
def test_on_equal_instances_all_strategies_are_alike(strategy: str) -> None:
    """With places limited and instances chosen late, there is little left to choose."""
    run = Scenario((WELL,) * 4, settings=Settings(strategy)).run(0)
    assert (run.lost, run.wire) == (0, 1.0)
    assert abs(run.ratio - outcome("fault-free").ratio) <= 0.01


@pytest.mark.parametrize("name", ["fails-fast", "refused"])
def test_one_of_four_that_fails_fast_costs_next_to_nothing(name: str) -> None:
    """It is found out after as many failures as were in flight, and then asked every 30 s at most."""
    check(name, 0.93, 1.02)


@pytest.mark.parametrize("name", ["hole-lowest-latency", "hole-least-busy"])
def test_a_fast_failing_instance_is_no_black_hole(name: str) -> None:
    """It looks idle and quick, and attracts nothing all the same."""
    check(name, 0.93, 1.02)


@pytest.mark.parametrize(("name", "ratio"), [("hangs", 0.62), ("hangs-long", 0.93)])
def test_one_of_four_that_hangs_costs_one_timeout(name: str, ratio: float) -> None:
    """What was caught in it is answered elsewhere."""
    check(name, ratio)


@pytest.mark.parametrize(("name", "ratio"), [("flaps", 0.80), ("down-first", 0.85), ("storm-first", 0.80)])
def test_an_instance_that_recovers_is_used_again(name: str, ratio: float) -> None:
    """Down for 10 s in 20, for the first 20 s, or refusing for load during the first 30 s."""
    check(name, ratio)


@pytest.mark.parametrize("kind", ["refused", "error", "hang"])
def test_a_total_outage_loses_nothing_and_costs_little(kind: str) -> None:
    """60 s without any instance: requests wait, probes are few, and the work goes on soon after."""
    assert check(f"all-down-{kind}", 0.0, 1.10).late <= 10.0


@pytest.mark.parametrize("name", ["all-down-error-default", "all-down-error-one"])
def test_an_outage_is_noticed_however_many_places_there_are(name: str) -> None:
    """It takes as many failures as there were attempts in flight, not as were allowed."""
    assert outcome(name).lost == 0


@pytest.mark.parametrize(("percent", "ratio"), [(10, 0.90), (20, 0.87), (30, 0.85), (50, 0.5)])
def test_instances_that_are_all_alike_bad_are_not_ejected_in_turn(percent: int, ratio: float) -> None:
    """Errors everywhere: who is no worse than the rest stays, and a request fails only if all its attempts do."""
    run, rate = outcome(f"errors-{percent}"), percent / 100
    assert run.ratio >= ratio
    assert run.wire <= 1.0 / (1.0 - rate) + 0.03
    assert run.trips <= (0 if percent <= 30 else 2)
    expected = run.scenario.requests * rate**4
    assert run.lost <= expected + 4.0 * math.sqrt(expected) + 1.0


@pytest.mark.parametrize(
    ("name", "wire"),
    [("ceiling-3", 1.53), ("ceiling-10", 1.22), ("ceiling-10-least-busy", 1.17), ("exactly-enough", 1.22)],
)
def test_a_ceiling_nobody_declared_is_learned(name: str, wire: float) -> None:
    """Refusals show what an instance bears, and it is kept busy with that."""
    check(name, 0.92, wire)


def test_a_high_ceiling_nobody_declared_is_learned() -> None:
    """The same for a hundred and sixty places."""
    check("ceiling-40", 0.92, 1.22)


def test_a_rate_limit_nobody_declared_is_lived_with() -> None:
    """Although what is refused counts against it as well."""
    check("rpm-undeclared", 0.85, 1.59)


def test_a_declared_rate_limit_is_never_exceeded() -> None:
    """A provider that counts over a minute refuses nothing."""
    assert check("rpm-minute", 0.9, 1.0).refused == 0


def test_a_declared_rate_limit_cut_into_seconds_is_paced_after_one_refusal() -> None:
    """A provider that counts over a second refuses one burst."""
    check("rpm-second", 0.9, 1.02)


def test_lowest_latency_uses_the_fast_instances() -> None:
    """Speeds 1:2:4:8 and workers for half of the places: the fast half is used; lru would reach a third."""
    check("speeds-lowest-latency", 0.85, 1.0)
    assert outcome("speeds-lru").ratio <= 0.5


def test_a_steady_load_with_deadlines_survives_an_outage() -> None:
    """40 requests a second, given 30 s each, all instances down for 60 s: few attempts then, answers soon after."""
    behaviours = (Behaviour(outages=(Outage(10, 70, "error"),)),) * 4
    simulation = Simulation(0, [instance(n, max_concurrency=25) for n in range(4)], behaviours, Settings())
    for number in range(40 * 90):
        simulation.clock.at(simulation.began + number / 40, simulation.request, None, 30.0)
    simulation.run()
    assert all(len(flight.results) == 1 for flight in simulation.flights)
    assert sum(10.0 <= at < 70.0 for at in simulation.sends) / (40 * 60) <= 0.2
    assert min(at for at in simulation.answers if at > 72.0) - 70.0 <= 7.0
    late = [flight for flight in simulation.flights if flight.number >= 40 * 75]
    assert all(flight.results == ["ok"] for flight in late)


def test_a_slow_instance_loses_its_share_and_regains_it() -> None:
    """Ten times slower for 60 s under lowest_latency: the others take over; three time constants later it is back."""
    behaviours = (Behaviour(slow=(30.0, 90.0, 10.0)), WELL, WELL, WELL)
    scenario = replace(SCENARIOS["fault-free"], behaviours=behaviours, workers=2 * PER_INSTANCE, requests=8000)
    run = replace(scenario, settings=Settings("lowest_latency")).run(0)
    share = [sum(lower <= at < upper for at in run.simulation.sent_to[0]) for lower, upper in ((0, 30), (40, 90))]
    after = [at for at in run.simulation.sent_to[0] if at >= 90.0 + 3 * 30.0]
    assert run.lost == 0
    assert share[1] / 50 <= 0.5 * share[0] / 30
    assert len(after) / (run.simulation.seconds - 180.0) >= 0.5 * share[0] / 30
