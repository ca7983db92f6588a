"""Declared and told rate limits: kept exactly, corrected by refusals, true charges and the provider's headers."""

import random
import weakref
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyllm._routing.limits import RateLimits, Ticket
from flyllm._routing.pacing import LASTS
from flyllm._routing.start_log import SPAN, StartLog
from flyllm.providers.rate_limit_headers import allowances
from flyllm.testing.limiter import RateLimiter
from flyllm.testing.wires.openai_parts import rate_limit_headers

NOW = 1000.0


def start_all(limits: RateLimits, charge: int, now: float) -> list[Ticket]:
    """Start attempts until it is no longer time for one."""
    tickets = []
    while limits.ready_at(charge, now) <= now:
        tickets.append(limits.start(charge, now))
    return tickets


def test_without_limits_it_is_always_time() -> None:
    """Nobody declared a limit and the provider tells none: nothing is held back."""
    limits = RateLimits(None, None)
    for _ in range(1000):
        assert limits.ready_at(10**9, NOW) == NOW
        limits.start(10**9, NOW)


def test_rpm_is_a_full_burst_then_one_for_each_that_leaves() -> None:
    """The whole minute's requests may start at once; each next one when the oldest is a minute old."""
    limits = RateLimits(3, None)
    for offset in (0.0, 1.0, 5.0):
        limits.start(0, NOW + offset)
    assert limits.ready_at(0, NOW + 6) == NOW + SPAN
    limits.start(0, NOW + SPAN)
    assert limits.ready_at(0, NOW + SPAN) == NOW + 1 + SPAN


def test_tpm_waits_for_as_many_as_have_to_leave() -> None:
    """A request fits in when enough of the oldest charges are a minute old."""
    limits = RateLimits(None, 100)
    for offset, charge in ((0.0, 30), (1.0, 30), (2.0, 40)):
        assert limits.ready_at(charge, NOW + offset) == NOW + offset
        limits.start(charge, NOW + offset)
    assert [limits.ready_at(charge, NOW + 3) - NOW for charge in (30, 31, 60, 61, 100)] == [
        SPAN,
        1 + SPAN,
        1 + SPAN,
        2 + SPAN,
        2 + SPAN,
    ]


def test_an_oversize_request_waits_until_it_is_alone() -> None:
    """More tokens than the limit are admitted where nothing else counts, else they never would be."""
    limits = RateLimits(None, 100)
    assert limits.ready_at(500, NOW) == NOW
    limits.start(1, NOW)
    limits.start(1, NOW + 9)
    assert limits.ready_at(500, NOW + 10) == NOW + 9 + SPAN
    limits.start(500, NOW + 9 + SPAN)
    assert limits.ready_at(1, NOW + 9 + SPAN) == NOW + 9 + 2 * SPAN


def test_the_true_charge_replaces_the_estimate() -> None:
    """Less frees the difference at once, more takes it; unknown leaves the estimate."""
    limits = RateLimits(None, 100)
    ticket = limits.start(80, NOW)
    limits.settle(ticket, None, NOW + 1)
    assert limits.ready_at(21, NOW + 1) > NOW + 1
    limits.settle(ticket, 50, NOW + 1)
    assert limits.ready_at(50, NOW + 1) == NOW + 1
    assert limits.ready_at(51, NOW + 1) == NOW + SPAN
    limits.settle(ticket, 120, NOW + 1)
    assert limits.ready_at(1, NOW + 1) == NOW + SPAN


def test_a_charge_settled_after_its_minute_changes_nothing() -> None:
    """What a slow answer took is no longer counted when it comes."""
    limits = RateLimits(None, 100)
    ticket = limits.start(100, NOW)
    limits.start(50, NOW + SPAN)
    limits.settle(ticket, 10**6, NOW + SPAN)
    assert limits.ready_at(50, NOW + SPAN) == NOW + SPAN
    assert limits.ready_at(51, NOW + SPAN) == NOW + 2 * SPAN


@pytest.mark.parametrize("way", ["refuse", "refund"])
def test_what_was_not_accepted_leaves_the_log(way: str) -> None:
    """A 429 or an attempt that was never sent gives its request and its tokens back, once."""
    limits = RateLimits(None, 100)
    kept, gone = limits.start(40, NOW), limits.start(60, NOW)
    for _ in range(2):
        limits.refuse(gone, NOW) if way == "refuse" else limits.refund(gone)
    limits.settle(gone, 500, NOW)
    assert limits.ready_at(60, NOW) == NOW
    assert limits.ready_at(61, NOW) > NOW
    limits.settle(kept, 0, NOW)
    assert limits.ready_at(100, NOW) == NOW


def test_a_refund_makes_room_for_a_request() -> None:
    """An attempt that was never sent does not count towards rpm either."""
    limits = RateLimits(2, None)
    limits.start(0, NOW)
    gone = limits.start(0, NOW + 1)
    assert limits.ready_at(0, NOW + 2) == NOW + SPAN
    limits.refund(gone)
    assert limits.ready_at(0, NOW + 2) == NOW + 2


def test_a_refusal_under_the_declared_limit_begins_the_pace() -> None:
    """After a 429 starts are 60/rpm apart, whatever burst the log would allow, for ten minutes."""
    limits = RateLimits(60, None)
    limits.refuse(limits.start(0, NOW), NOW)
    starts, now = [], NOW
    while now < NOW + 10:
        now = limits.ready_at(0, now)
        limits.start(0, now)
        starts.append(now)
    assert [later - earlier for earlier, later in pairwise([NOW, *starts])] == pytest.approx([1.0] * len(starts))
    late = NOW + LASTS
    assert len(start_all(limits, 0, late)) == 60


def test_a_faster_limit_is_paced_in_slices_of_a_second() -> None:
    """At 300 rpm up to five may start at once, after a rest, and five a second in the long run."""
    limits = RateLimits(300, None)
    limits.refuse(limits.start(0, NOW), NOW)
    assert start_all(limits, 0, NOW) == []
    assert len(start_all(limits, 0, NOW + 30)) == 5
    assert limits.ready_at(0, NOW + 30) == pytest.approx(NOW + 30.2)


def test_further_refusals_keep_the_pace_going() -> None:
    """Ten minutes count from the last refusal."""
    limits = RateLimits(60, None)
    for offset in (0.0, 500.0):
        limits.refuse(limits.start(0, NOW + offset), NOW + offset)
    assert len(start_all(limits, 0, NOW + 800)) == 1
    assert len(start_all(limits, 0, NOW + 1100)) > 1


def test_without_a_declared_rpm_a_refusal_paces_nothing() -> None:
    """There is no pace to keep: what the instance bears is learned elsewhere."""
    limits = RateLimits(None, 10**6)
    limits.refuse(limits.start(1, NOW), NOW)
    assert len(start_all(limits, 10**5, NOW)) == 10


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["start", "start", "start", "settle", "refuse", "refund"]),
        st.floats(0, 45, allow_nan=False) | st.just(0.0) | st.just(SPAN),
        st.integers(0, 150),
    ),
    max_size=80,
)
LIMIT = st.none() | st.integers(1, 8)


class Run:
    """A user of limits that keeps to `ready_at`, and a log of what counts, kept in the simplest way."""

    def __init__(self, rpm: int | None, tpm: int | None) -> None:
        self.limits, self.now = RateLimits(rpm, tpm), NOW
        self.counted: list[Ticket] = []
        self.open: list[Ticket] = []

    def act(self, action: str, pause: float, amount: int) -> None:
        """Do one thing, `pause` seconds after the last."""
        self.now += pause
        if action == "start":
            if self.limits.ready_at(amount, self.now) <= self.now:
                ticket = self.limits.start(amount, self.now)
                self.counted.append(ticket)
                self.open.append(ticket)
        elif self.open:
            ticket = self.open.pop(amount % len(self.open))
            if action == "settle":
                self.limits.settle(ticket, amount, self.now)
            else:
                self.counted.remove(ticket)
                self.limits.refuse(ticket, self.now) if action == "refuse" else self.limits.refund(ticket)

    def window(self) -> list[Ticket]:
        """What counts now."""
        return [ticket for ticket in self.counted if ticket.at + SPAN > self.now]


@settings(deadline=None)
@given(LIMIT, ACTIONS)
def test_never_more_than_rpm_within_any_minute(rpm: int | None, actions: list[tuple[str, float, int]]) -> None:
    """However attempts start and end, no 60 s hold more than `rpm` of those that were not taken out."""
    run = Run(rpm, None)
    for action in actions:
        run.act(*action)
        for ticket in run.counted:
            inside = [other for other in run.counted if ticket.at <= other.at < ticket.at + 60.0]
            assert rpm is None or len(inside) <= rpm


@settings(deadline=None)
@given(st.integers(1, 400), ACTIONS)
def test_tpm_sums_what_counts(tpm: int, actions: list[tuple[str, float, int]]) -> None:
    """It is time exactly when the charge fits beside those of the last minute, true ones included, or alone."""
    run = Run(None, tpm)
    for action in actions:
        run.act(*action)
        window = run.window()
        for charge in (0, 1, tpm // 2, tpm, tpm + 1):
            fits = sum(ticket.charge for ticket in window) + charge <= tpm or not window
            assert (run.limits.ready_at(charge, run.now) <= run.now) == fits


@settings(deadline=None)
@given(LIMIT, st.none() | st.integers(1, 400), ACTIONS, st.integers(0, 500))
def test_ready_at_is_monotone_and_true(
    rpm: int | None, tpm: int | None, actions: list[tuple[str, float, int]], charge: int
) -> None:
    """A larger charge is never ready sooner; when the time told has come, it is time; until then it is not."""
    run = Run(rpm, tpm)
    for action in actions:
        run.act(*action)
        told = run.limits.ready_at(charge, run.now)
        assert told >= run.now
        assert run.limits.ready_at(charge + 1, run.now) >= told
        assert run.limits.ready_at(charge, (run.now + told) / 2) == max(told, (run.now + told) / 2)
        run.now = (run.now + told) / 2
    told = run.limits.ready_at(charge, run.now)
    assert run.limits.ready_at(charge, told) == told


@settings(deadline=None)
@given(st.integers(1, 400), st.lists(st.floats(0, 30), min_size=1, max_size=60), st.integers(0, 10**6))
def test_paced_starts_are_spaced(rpm: int, pauses: list[float], seed: int) -> None:
    """While paced, any k + 1 starts beyond the burst span at least k times 60/rpm seconds."""
    limits, rng, now, starts = RateLimits(rpm, None), random.Random(seed), NOW, []
    limits.refuse(limits.start(0, now), now)
    for pause in pauses:
        now = max(now + pause, limits.ready_at(0, now + pause))
        if now >= NOW + LASTS:
            break
        ticket = limits.start(0, now)
        starts.append(now)
        if rng.random() < 0.3:
            limits.refund(ticket)
    gap, burst = 60 / rpm, max(1, rpm // 60)
    for first, start in enumerate(starts):
        for last in range(first + burst, len(starts)):
            assert starts[last] - start >= (last - first - burst + 1) * gap - 2e-6


def test_it_forgets_what_no_longer_counts() -> None:
    """However long it runs, it holds no more than the attempts of a minute."""
    limits = RateLimits(None, 10**6)
    for number in range(10_000):
        limits.start(1, NOW + number)
    assert isinstance(limits._log, StartLog)
    assert len(limits._log) == int(SPAN) + 1


def test_it_holds_nothing_where_no_limit_is_declared() -> None:
    """No attempt is kept that no limit will ever ask for."""
    limits = RateLimits(None, None)
    tickets = [weakref.ref(limits.start(1, NOW + number)) for number in range(100)]
    assert [ticket() for ticket in tickets] == [None] * 100


@settings(max_examples=25, deadline=None)
@given(st.integers(10, 200), st.integers(0, 10**6))
def test_a_provider_that_tells_its_limit_refuses_almost_nothing(rpm: int, seed: int) -> None:
    """Its headers alone keep 16 workers below a limit that nobody declared, and let them use nearly all of it."""
    rng, server, limits = random.Random(seed), RateLimiter(rpm, None, NOW), RateLimits(None, None)
    now, cool, waits = NOW, NOW, []
    running: list[tuple[float, Ticket, float, dict[str, str]]] = []
    while now < NOW + 120:
        while len(running) < 16 and max(cool, limits.ready_at(0, now)) <= now:
            ticket = limits.start(0, now)
            waits.append(server.admit(1, now))
            running.append((now + rng.uniform(0.1, 1.0), ticket, waits[-1], rate_limit_headers(server.state)))
        running.sort(key=lambda entry: entry[0])
        now = min([entry[0] for entry in running[:1]] + [max(cool, limits.ready_at(0, now))] * (len(running) < 16))
        while running and running[0][0] <= now:
            _, ticket, wait, headers = running.pop(0)
            if wait:
                cool = max(cool, now + wait)  # its Retry-After
                limits.refuse(ticket, now)
            else:
                limits.observe(allowances(headers), ticket, now)
    refused = sum(wait > 0 for wait in waits)
    assert refused <= 16 + 0.05 * len(waits)  # the first 16 start before anything is known
    assert len(waits) - refused >= 0.7 * 3 * rpm - 4  # a full bucket, and two minutes' refill
