"""Rules of where one request may still go."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm._resilience.classification import Exclusion
from flyllm._routing.instance import Instance
from flyllm._routing.route import Route
from tests.unit.fakes import api, instance

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
    """After a full round all may be tried again, and the count of rounds makes the next pause longer."""
    route = Route(None)
    route.mark_tried(A, again=False)
    route.mark_tried(OTHER, again=False)
    assert (route.tried, route.attempts, route.last) == ({0, 3}, 2, 3)
    route.start_over()
    assert (route.tried, route.attempts, route.last, route.rounds) == (set(), 2, 3, 1)


WINDOWS = [instance(n, context_window=window) for n, window in enumerate((None, 8_000, 8_000, 32_000, 128_000))]


@pytest.mark.parametrize(
    ("failed", "left"),
    [((0,), []), ((1,), [3, 4]), ((3,), [4]), ((4,), []), ((1, 3), [4]), ((3, 1), [4])],
)
def test_a_prompt_too_long_fits_only_a_larger_declared_window(failed: tuple[int, ...], left: list[int]) -> None:
    """Not an equal one, none that is unknown, and no smaller one later; without a number nothing is larger."""
    route = Route(None)
    for number in failed:
        route.outgrew(WINDOWS[number])
    assert [i.id for i in WINDOWS if route.allows(i)] == left


def test_windows_do_not_matter_before_one_was_too_small() -> None:
    """Every instance may serve a request that has met no limit."""
    assert all(Route(None).allows(i) for i in WINDOWS)


EXCLUSIONS = st.lists(st.tuples(st.sampled_from([A, SAME_MODEL, SAME_PROVIDER, OTHER]), st.sampled_from(Exclusion)))


@given(EXCLUSIONS)
def test_exclusions_add_up(exclusions: list[tuple[Instance, Exclusion]]) -> None:
    """An instance is allowed as long as none of all exclusions, in whatever order, reaches it."""
    route = Route(None)
    for place, what in exclusions:
        route.exclude(place, what)
    for place in (A, SAME_MODEL, SAME_PROVIDER, OTHER):
        reached = any(
            (what is Exclusion.INSTANCE and place is other)
            or (what is Exclusion.MODEL and (place.provider, place.model) == (other.provider, other.model))
            or (what is Exclusion.PROVIDER and place.provider == other.provider)
            for other, what in exclusions
        )
        assert route.allows(place) is not reached


def test_a_route_goes_where_what_it_needs_can_be_done() -> None:
    """Whatever that is: the words are those of the registry."""
    able = replace(api(), can=frozenset({"embed", "tools"}))
    plain, both = instance(0), instance(1, api=able)
    assert [Route(None, needs=frozenset({"embed"})).allows(each) for each in (plain, both)] == [False, True]
    assert [Route(None, needs=frozenset({"embed", "fly"})).allows(each) for each in (plain, both)] == [False, False]
    assert [Route(None).allows(each) for each in (plain, both)] == [True, True]
    assert (Route(None, needs=frozenset({"embed"})).restricted, Route(None).restricted) == (True, False)


def test_a_route_may_stay_with_one_model() -> None:
    here, there, elsewhere = instance(0, model="a"), instance(1, model="b"), instance(2, model="a", provider="groq")
    route = Route(None, only=("openai", "a"))
    assert [route.allows(each) for each in (here, there, elsewhere)] == [True, False, False]
    route.exclude(here, Exclusion.INSTANCE)
    assert not route.allows(here)
