"""Behaviours: how what a test says becomes how a request is answered."""

from random import Random

import pytest

from flyllm.testing import Behaviour, ErrorKind, Fault, Reply, cut, lognormal
from flyllm.testing.behaviour import Outcome, behaviour_of

BASE = Behaviour(latency=0.5, error=ErrorKind.SERVER_ERROR, fault=Fault.HTML)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Behaviour("hi"), Behaviour("hi")),
        ("hi", Behaviour("hi", latency=0.5)),
        (Reply("hi"), Behaviour(Reply("hi"), latency=0.5)),
        (ErrorKind.RATE_LIMIT, Behaviour(latency=0.5, error=ErrorKind.RATE_LIMIT, fault=Fault.HTML)),
        (429, Behaviour(latency=0.5, error=ErrorKind.RATE_LIMIT, status=429, fault=Fault.HTML)),
        (502, Behaviour(latency=0.5, error=ErrorKind.SERVER_ERROR, status=502, fault=Fault.HTML)),
        (422, Behaviour(latency=0.5, error=ErrorKind.INVALID_REQUEST, status=422, fault=Fault.HTML)),
        (Fault.RESET, Behaviour(latency=0.5, error=ErrorKind.SERVER_ERROR, fault=Fault.RESET)),
        (cut(2), Behaviour(latency=0.5, error=ErrorKind.SERVER_ERROR, fault=cut(2))),
    ],
)
def test_outcomes_are_completed_from_the_default(outcome: Outcome, expected: Behaviour) -> None:
    """What an outcome does not say comes from the default; an answer also clears errors and faults."""
    assert behaviour_of(outcome, BASE) == expected


def test_changes_win() -> None:
    """Fields given beside an outcome win over the outcome and the default."""
    assert behaviour_of("hi", BASE, latency=0.1, fault=Fault.RESET) == Behaviour("hi", latency=0.1, fault=Fault.RESET)
    assert behaviour_of(500, BASE, status=599).status == 599


def test_error_rate_is_a_probability() -> None:
    """About every fourth request of a rate of 0.25 fails, with a server error where none is named."""
    rng = Random(1)
    drawn = [Behaviour(error_rate=0.25).erring(rng) for _ in range(10_000)]
    assert 2300 < drawn.count(ErrorKind.SERVER_ERROR) < 2700
    assert Behaviour(error=ErrorKind.QUOTA, error_rate=1.0).erring(rng) is ErrorKind.QUOTA
    assert Behaviour(error=ErrorKind.QUOTA, error_rate=0.0).erring(rng) is None


def test_lognormal_has_the_mean_it_names() -> None:
    """`lognormal(mean)` is `mean` on average, never negative and skewed to long waits."""
    draw, rng = lognormal(0.2, 0.5), Random(1)
    values = sorted(draw(rng) for _ in range(20_000))
    assert abs(sum(values) / len(values) - 0.2) < 0.005
    assert values[0] > 0
    assert values[len(values) // 2] < 0.2


def test_delay_is_never_negative() -> None:
    """A distribution that draws below zero means no delay."""
    assert Behaviour(latency=lambda rng: -1.0).delay(Random(1)) == 0.0
