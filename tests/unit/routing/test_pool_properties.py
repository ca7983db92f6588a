"""What holds of the pool and its parts whatever happens: properties over random histories."""

import math
import random
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flyllm._resilience.budget import RetryBudget
from flyllm._resilience.classification import Verdict, classify
from flyllm._routing.lease import Lease
from flyllm._routing.route import Route
from flyllm.errors import ContentFilterError, DeadlineExceededError, RateLimitError
from flyllm.providers.failures import api_error, in_band_error
from tests.unit.fakes import GOOD, ManualClock, failed, instance
from tests.unit.routing.pools import acquire, deadline, pool_of

PAUSE = st.floats(0, 20, allow_nan=False) | st.just(0.0)

# The budget of retries


@settings(deadline=None)
@given(
    st.floats(0, 1),
    st.lists(st.tuples(st.sampled_from(["succeed", "retry", "retry", "storm", "look"]), PAUSE), max_size=60),
)
def test_retries_are_at_most_a_hundred_and_successes_and_seconds(
    ratio: float, operations: list[tuple[str, float]]
) -> None:
    """However they are asked for, and those put off are told a wait of a second at most."""
    budget, now, successes, granted = RetryBudget(0.0, ratio), 0.0, 0, 0
    for operation, pause in operations:
        now += pause
        if operation == "succeed":
            budget.succeeded(now)
            successes += 1
        elif operation == "look":
            assert 0.0 <= budget.tokens(now) <= 100.0
        else:
            waits = [budget.take(now) for _ in range(150 if operation == "storm" else 1)]
            assert all(0.0 <= wait <= 1.0 for wait in waits)
            granted += waits.count(0.0)
        assert granted == budget.spent <= 100 + ratio * successes + now + 1e-6


@settings(deadline=None, max_examples=50)
@given(st.integers(101, 130), st.floats(0, 1), st.lists(PAUSE, max_size=20))
def test_put_off_retries_are_all_made(retries: int, ratio: float, pauses: list[float]) -> None:
    """Whoever comes back when told waits a second for each one before him at most: none is dropped."""
    budget, now = RetryBudget(0.0, ratio), 0.0
    for pause in pauses:
        now += pause
        budget.succeeded(now)
    begin = now
    for _ in range(retries):
        while (wait := budget.take(now)) > 0.0:
            now += max(wait, 1e-6)  # a clock's step
    assert now - begin <= retries - 100 + 0.01


# Turns


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 10**6))
def test_weighted_turns_are_exact_whatever_ends_between(weights: list[int], seed: int) -> None:
    """In every stretch as long as the sum of the weights, while attempts end in any order between the selections."""
    rng, total, leases, chosen = random.Random(seed), sum(weights), [], []
    members = [instance(n, weight=float(w)) for n, w in enumerate(weights)]
    pool = pool_of(*members, strategy="weighted", clock=ManualClock(seed))
    for _ in range(3 * total):
        leases.append(acquire(pool))
        chosen.append(leases[-1].instance.id)
        if rng.random() < 0.5:
            leases.pop(rng.randrange(len(leases))).close(GOOD)
    for begin in range(2 * total + 1):
        counts = Counter(chosen[begin : begin + total])
        assert [counts[n] for n in range(len(weights))] == weights


# Declared limits


class Starts:
    """Requests to one instance of a declared `rpm`, and when those started that were not refused."""

    def __init__(self, rpm: int) -> None:
        self.clock = ManualClock()
        self.kept: list[Lease] = []
        self.open: list[Lease] = []
        self.pool = pool_of(instance(0, rpm=rpm, max_concurrency=500), clock=self.clock)

    def start(self, patience: float) -> None:
        try:
            lease = self.pool.acquire(Route(None), deadline(self.clock, patience))
        except DeadlineExceededError:
            return
        self.kept.append(lease)
        self.open.append(lease)

    def end(self, pick: int, *, refused: bool) -> None:
        if self.open:
            lease = self.open.pop(pick % len(self.open))
            if refused:
                self.kept.remove(lease)
            lease.close(failed(RateLimitError("x")) if refused else GOOD)

    @property
    def times(self) -> list[float]:
        return [lease.began for lease in self.kept]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["start"] * 4 + ["end"]), st.integers(0, 9), st.sampled_from([0.0, 0.0, 1.0, 20.0, 70.0])
    ),
    max_size=50,
)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 9), STEPS, st.booleans())
def test_the_pool_starts_no_more_than_rpm_in_any_minute(
    rpm: int, steps: list[tuple[str, int, float]], refusals: bool
) -> None:
    """However long requests wait for it, no 60 s hold more starts than declared, refused ones aside."""
    starts = Starts(rpm)
    for action, pick, seconds in steps:
        if action == "start":
            starts.start(patience=seconds)
        else:
            starts.clock.advance(seconds)
            starts.end(pick, refused=refusals and pick % 3 == 0)
    times = starts.times
    assert all(sum(at <= other < at + 60.0 for other in times) <= rpm for at in times)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 400), st.lists(st.sampled_from([0.0, 0.1, 1.0, 30.0]), min_size=1, max_size=40))
def test_after_a_refusal_the_pool_keeps_the_pace(rpm: int, pauses: list[float]) -> None:
    """Beyond a burst of rpm/60 starts are 60/rpm apart, for ten minutes."""
    starts = Starts(rpm)
    starts.start(0.0)
    starts.start(0.0) if rpm > 1 else None
    starts.end(0, refused=True)
    begin = starts.clock.now
    starts.kept.clear()
    for pause in pauses:
        starts.clock.advance(pause)
        starts.start(patience=60.0)
        starts.end(0, refused=False)
    times = [at for at in starts.times if at < begin + 600.0]
    gap, burst = 60.0 / rpm, max(1, rpm // 60)
    for first in range(len(times)):
        for last in range(first + burst, len(times)):
            assert times[last] - times[first] >= (last - first - burst + 1) * gap - 1e-5


# Classification

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "type", "code", "status", "details", "reason", "metadata"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ADVICE = st.fixed_dictionaries({}, optional={"x-should-retry": st.sampled_from(["true", "false", "?", ""])})


@settings(deadline=None)
@given(st.integers(100, 599), JSON | st.binary(max_size=30), ADVICE)
def test_every_answer_has_one_verdict(status: int, body: Any, headers: dict[str, str]) -> None:
    """Any status with any body: it is decided whether and where to try again, and never by an exception."""
    for error in (api_error(status, headers, body), in_band_error(body, headers)):
        verdict = classify(error)
        assert isinstance(verdict, Verdict)
        assert verdict.eject is None or 0.0 < verdict.eject < math.inf
        assert verdict.retry or isinstance(error, ContentFilterError)
        assert not verdict.pays or verdict.counted
