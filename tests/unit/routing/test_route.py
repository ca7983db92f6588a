"""Rules of where one request may still go."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyllm._resilience.classification import Exclusion
from flyllm._routing.route import Route
from tests.unit.fakes import instance

A = instance(0, provider="openai", model="x")
SAME_MODEL = instance(1, provider="openai", model="x")
SAME_PROVIDER = instance(2, provider="openai", model="y")
OTHER = instance(3, provider="groq", model="x")


@pytest.mark.parametrize(
    ("what", "left"),
    [
        (Exclusion.NOTHING, [0, 1, 2, 3]),
        (Exclusion.INSTANCE, [1, 2, 3]),
        (Exclusion.MODEL, [2, 3]),
        (Exclusion.PROVIDER, [3]),
    ],
)
def test_an_exclusion_reaches_as_far_as_it_says(what: Exclusion, left: list[int]) -> None:
    """An instance, a model of a provider, or a provider is ruled out, and nothing else."""
    route = Route(None)
    route.exclude(A, what)
    assert [i.id for i in (A, SAME_MODEL, SAME_PROVIDER, OTHER) if route.allows(i)] == left


def test_a_task_needs_an_instance_that_supports_it() -> None:
    """A request without a task may go anywhere, one with a task only where it is supported."""
    summary = instance(5, tasks=frozenset({"summary"}))
    assert Route(None).serves(summary)
    assert Route(None).serves(A)
    assert Route("summary").serves(summary)
    assert not Route("chat").serves(summary)
    assert not Route("").serves(A)


def test_a_new_round_forgets_what_was_tried() -> None:
    """After a full round all may be tried again, after the pause."""
    route = Route(None)
    route.mark_tried(A, None)
    route.mark_tried(OTHER, None)
    assert route.start_over([0, 3], 100.0, 0.4) == pytest.approx(0.4)
    assert route.tried == set()
    assert (route.rounds, route.last) == (1, 3)


def test_who_asked_for_more_time_sits_the_round_out() -> None:
    """Of two instances the one with the shorter wish begins the round, the other is still avoided."""
    route = Route(None)
    route.mark_tried(A, 110.0)
    route.mark_tried(OTHER, 102.0)
    assert route.start_over([0, 3], 100.0, 0.4) == 2.0
    assert route.tried == {0}


def test_an_excluded_instance_is_no_reason_to_hurry() -> None:
    """The pause lasts until the first instance that may still be used is ready, not one that is ruled out."""
    route = Route(None)
    route.mark_tried(A, 130.0)
    route.mark_tried(OTHER, None)
    route.exclude(OTHER, Exclusion.INSTANCE)
    assert route.start_over([0], 100.0, 0.4) == 30.0
    assert 0 not in route.tried


WISHES = st.dictionaries(st.integers(0, 5), st.none() | st.floats(0, 1000), min_size=1)


@settings(max_examples=50)
@given(WISHES, st.floats(0, 10))
def test_nobody_is_asked_before_its_time(wishes: dict[int, float | None], pause: float) -> None:
    """Whoever is open after the pause is ready then, somebody is, and the pause is no longer than it must be."""
    route, now = Route(None), 500.0
    for number, not_before in wishes.items():
        route.mark_tried(instance(number), not_before)
    length = route.start_over(list(wishes), now, pause)
    ready = {number: wish if wish is not None else now for number, wish in wishes.items()}
    open_again = set(wishes) - route.tried
    assert open_again
    assert length >= pause - 1e-9
    assert all(ready[number] <= now + length + 1e-9 for number in open_again)
    assert length <= max(pause, min(ready.values()) - now) + 1e-9
