"""Rules of the window of recent outcomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm._resilience.window import BUCKETS, SPAN, Window


def test_it_begins_empty() -> None:
    """Nothing has happened."""
    assert Window().counts(1000.0) == (0, 0)


def test_it_counts_attempts_and_failures() -> None:
    """A failure is an attempt too."""
    window = Window()
    for failed in (True, False, False, True, False):
        window.record(1000.0, failed=failed)
    assert window.counts(1000.0) == (5, 2)


@pytest.mark.parametrize(("later", "counts"), [(0.0, (1, 1)), (26.9, (1, 1)), (30.0, (0, 0)), (1e6, (0, 0))])
def test_an_outcome_counts_for_half_a_minute(later: float, counts: tuple[int, int]) -> None:
    """As exactly as the buckets are wide."""
    window = Window()
    window.record(1000.0, failed=True)
    assert window.counts(1000.0 + later) == counts


def test_outcomes_leave_one_bucket_after_the_other() -> None:
    """The oldest first, three seconds' worth at a time."""
    window, width = Window(), SPAN / BUCKETS
    for number in range(BUCKETS):
        window.record(900.0 + number * width, failed=number % 2 == 0)
    assert [window.counts(927.0 + step * width)[0] for step in range(11)] == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]


def test_forgetting_leaves_nothing() -> None:
    """And it can be used again."""
    window = Window()
    window.record(1000.0, failed=True)
    window.clear()
    window.record(1000.0, failed=False)
    assert window.counts(1000.0) == (1, 0)


@given(st.lists(st.tuples(st.floats(0, 40), st.booleans()), max_size=60))
def test_it_counts_what_is_recent_and_nothing_that_is_old(steps: list[tuple[float, bool]]) -> None:
    """Everything of the last 27 seconds, nothing older than 30, and of each the failures among the attempts."""
    window, now, seen = Window(), 1000.0, []
    for pause, failed in steps:
        now += pause
        window.record(now, failed=failed)
        seen.append((now, failed))
        attempts, failures = window.counts(now)
        recent = [bad for at, bad in seen if now - at <= SPAN - SPAN / BUCKETS]
        possible = [bad for at, bad in seen if now - at <= SPAN]
        assert len(recent) <= attempts <= len(possible)
        assert sum(recent) <= failures <= sum(possible)
