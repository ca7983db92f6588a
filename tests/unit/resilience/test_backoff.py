"""Rules of the pauses between rounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm._resilience.backoff import CEILING, INITIAL, full_jitter, respectful
from tests.unit.fakes import ManualClock


@pytest.mark.parametrize(
    ("rounds", "bound"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 8.0), (6, 8.0), (10**6, 8.0)]
)
def test_the_bound_doubles_up_to_the_ceiling(rounds: int, bound: float) -> None:
    """The pause is drawn between nothing and a bound that doubles from half a second to eight."""
    clock = ManualClock()
    full_jitter(rounds, clock)
    assert clock.draws == [(0.0, bound)]
    assert (INITIAL, CEILING) == (0.5, 8.0)


@given(st.integers(1, 100), st.integers())
def test_a_pause_lies_within_its_bound(rounds: int, seed: int) -> None:
    """No draw leaves the bounds."""
    assert 0.0 <= full_jitter(rounds, ManualClock(seed)) <= min(CEILING, INITIAL * 2 ** (rounds - 1))


@given(st.floats(0, 1e9), st.integers())
def test_an_instance_is_never_asked_before_the_time_it_named(seconds: float, seed: int) -> None:
    """Retry-After is the least; up to a tenth more keeps many requests from coming back at one moment."""
    assert seconds <= respectful(seconds, ManualClock(seed)) <= seconds * 1.1 + 1e-9
