"""What the provider says is left of its limits: obeyed until its reset, and by its last word only."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyllm._routing.headroom import LONGEST
from flyllm._routing.limits import RateLimits
from flyllm._routing.start_log import SPAN
from flyllm.providers.rate_limit_headers import allowances

NOW = 1000.0
NONE_LEFT = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1.5s"}


def told(headers: dict[str, str], *, rpm: int | None = None, tpm: int | None = None) -> RateLimits:
    """Limits after one attempt at `NOW`, whose reply came a second later."""
    limits = RateLimits(rpm, tpm)
    limits.observe(allowances(headers), limits.start(0, NOW), NOW + 1)
    return limits


def left(requests: int | None = None, tokens: int | None = None, reset: str = "30s") -> dict[str, str]:
    """Headers that tell no limit."""
    counts = {"requests": requests, "tokens": tokens}
    headers = {f"x-ratelimit-remaining-{unit}": str(count) for unit, count in counts.items() if count is not None}
    return headers | {f"x-ratelimit-reset-{unit}": reset for unit in counts}


@pytest.mark.parametrize("rpm", [None, 1000])
def test_nothing_left_means_not_before_the_reset(rpm: int | None) -> None:
    """Also where no limit was declared."""
    limits = told(NONE_LEFT, rpm=rpm)
    assert limits.ready_at(0, NOW + 1) == NOW + 2.5
    assert limits.ready_at(0, NOW + 2.5) == NOW + 2.5


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "86400"},
    ],
)
def test_no_word_holds_longer_than_five_minutes(headers: dict[str, str]) -> None:
    """A day's limit is tried again like a long Retry-After."""
    assert told(headers).ready_at(0, NOW + 1) == NOW + 1 + LONGEST


@pytest.mark.parametrize("name", ["x-ratelimit-remaining-req-minute", "x-trial-endpoint-call-remaining"])
def test_a_limit_without_a_reset_is_whole_again_after_a_minute(name: str) -> None:
    """Mistral and Cohere do not say when."""
    assert told({name: "0"}).ready_at(0, NOW + 1) == NOW + 61


def test_what_was_started_since_is_taken_off() -> None:
    """What is left was counted when the provider saw the request: later ones come off it."""
    limits = RateLimits(None, None)
    first, *_ = [limits.start(0, NOW) for _ in range(3)]
    limits.observe(allowances(left(requests=3)), first, NOW + 1)
    assert limits.ready_at(0, NOW + 1) == NOW + 1
    limits.start(0, NOW + 1)
    assert limits.ready_at(0, NOW + 1) == NOW + 31


def test_tokens_are_compared_with_charges() -> None:
    """A small request goes where a large one has to wait."""
    limits = told(left(tokens=100))
    assert limits.ready_at(100, NOW + 1) == NOW + 1
    assert limits.ready_at(101, NOW + 1) == NOW + 31
    limits.start(60, NOW + 1)
    assert limits.ready_at(41, NOW + 1) == NOW + 31


def test_an_attempt_of_unknown_size_needs_a_token_too() -> None:
    """No tokens left stops also those whose charge nobody estimated."""
    assert told(left(tokens=0)).ready_at(0, NOW + 1) == NOW + 31


def test_charges_started_since_are_taken_off() -> None:
    """All of them, and only those after the attempt that was answered."""
    limits = RateLimits(None, 10**6)
    limits.start(500, NOW)
    answered, *_ = [limits.start(charge, NOW) for charge in (500, 30, 20)]
    limits.observe(allowances(left(tokens=100)), answered, NOW + 1)
    assert limits.ready_at(50, NOW + 1) == NOW + 1
    assert limits.ready_at(51, NOW + 1) == NOW + 31


def test_one_token_left_is_enough_for_an_unknown_size() -> None:
    """Once."""
    limits = told(left(tokens=1))
    assert limits.ready_at(0, NOW + 1) == NOW + 1
    limits.start(0, NOW + 1)
    assert limits.ready_at(0, NOW + 1) == NOW + 31


def test_every_limit_counts() -> None:
    """The one that lasts longest decides."""
    headers = left(requests=0, tokens=0) | {"x-ratelimit-reset-requests": "5s"}
    assert told(headers).ready_at(0, NOW + 1) == NOW + 31


def test_the_own_log_still_counts() -> None:
    """The headers can only make it stricter."""
    limits = told(left(requests=500, tokens=10**6), rpm=1, tpm=10)
    assert limits.ready_at(0, NOW + 1) == NOW + SPAN


def test_a_refund_gives_back_what_the_provider_never_saw() -> None:
    """Only if it was taken off its word."""
    limits = told(left(requests=1))
    ticket = limits.start(0, NOW + 1)
    assert limits.ready_at(0, NOW + 1) > NOW + 1
    limits.refund(ticket)
    assert limits.ready_at(0, NOW + 1) == NOW + 1

    limits = RateLimits(None, None)
    first, second = limits.start(0, NOW), limits.start(0, NOW)
    limits.observe(allowances(left(requests=0)), second, NOW + 1)
    limits.refund(first)
    assert limits.ready_at(0, NOW + 1) == NOW + 31


def test_the_reply_to_the_last_request_knows_most() -> None:
    """One to an earlier request, however late it comes, changes nothing; a newer one replaces all."""
    limits = RateLimits(None, None)
    first, second, third = [limits.start(0, NOW) for _ in range(3)]
    limits.observe(allowances(left(requests=5)), second, NOW + 3)
    limits.observe(allowances(left(requests=0)), first, NOW + 4)
    assert limits.ready_at(0, NOW + 4) == NOW + 4
    limits.observe(allowances(left(requests=0)), third, NOW + 5)
    assert limits.ready_at(0, NOW + 5) == NOW + 35


def test_a_reply_that_tells_nothing_changes_nothing() -> None:
    """An error page between does not lift the limit."""
    limits = told(NONE_LEFT)
    limits.observe(allowances({"content-type": "text/html"}), limits.start(0, NOW + 1), NOW + 1)
    assert limits.ready_at(0, NOW + 1) == NOW + 2.5


def anthropic(unit: str, remaining: int) -> dict[str, str]:
    return {
        "date": "Sun, 06 Nov 1994 08:49:37 GMT",
        f"anthropic-ratelimit-{unit}-remaining": str(remaining),
        f"anthropic-ratelimit-{unit}-reset": "1994-11-06T08:49:47Z",
    }


@pytest.mark.parametrize("unit", ["input-tokens", "output-tokens"])
def test_a_part_of_the_tokens_counts_only_when_used_up(unit: str) -> None:
    """A whole charge cannot be compared with what is left for answers alone."""
    limits = told(anthropic(unit, 10))
    assert limits.ready_at(10**6, NOW + 1) == NOW + 1
    first, second = limits.start(0, NOW + 1), limits.start(0, NOW + 1)
    limits.observe(allowances(anthropic(unit, 0)), first, NOW + 1)
    assert limits.ready_at(1, NOW + 1) == NOW + 11
    limits.observe(allowances(anthropic(unit, 5)), second, NOW + 2)
    assert limits.ready_at(1, NOW + 2) == NOW + 2


def bucket(limit: int, remaining: int, reset: float) -> dict[str, str]:
    return {**left(requests=remaining, reset=f"{reset}s"), "x-ratelimit-limit-requests": str(limit)}


def test_a_limit_that_refills_evenly_is_used_as_it_refills() -> None:
    """OpenAI's and Anthropic's reset says when the limit is whole again: at 60 a minute the next is due in a second."""
    limits = told(bucket(60, 0, 60.0))
    assert limits.ready_at(0, NOW + 1) == NOW + 2
    limits.start(0, NOW + 2)
    assert limits.ready_at(0, NOW + 2) == NOW + 3


def test_tokens_refill_evenly_too() -> None:
    """What is missing of a charge comes back at the limit's rate: 20 tokens at 600 a minute take two seconds."""
    headers = left(tokens=100, reset="50s") | {"x-ratelimit-limit-tokens": "600"}
    assert told(headers).ready_at(120, NOW + 1) == NOW + 3


def test_at_its_reset_a_limit_is_whole_and_no_more() -> None:
    """Those that waited for it do not all start at once; where the limit is not told, nobody knows better."""
    limits = told(bucket(2, 0, 30.0))
    for _ in range(2):
        assert limits.ready_at(0, NOW + 31) == NOW + 31
        limits.start(0, NOW + 31)
    assert limits.ready_at(0, NOW + 31) == NOW + 91
    limits = told(left(requests=0))
    for _ in range(100):
        assert limits.ready_at(0, NOW + 31) == NOW + 31
        limits.start(0, NOW + 31)


@pytest.mark.parametrize("headers", [bucket(60, 0, 1.5), bucket(60, 0, 57.0), bucket(1000, 0, 300.0)])
def test_any_other_reset_is_taken_at_its_word(headers: dict[str, str]) -> None:
    """It is a window's end: nothing is free before."""
    reset = float(headers["x-ratelimit-reset-requests"][:-1])
    assert told(headers).ready_at(0, NOW + 1) == NOW + 1 + reset


NUMBER = st.integers(-2, 10**6).map(str) | st.floats().map(str) | st.text(max_size=6)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*bucket(1, 1, 1.0), *left(1, 1), *anthropic("tokens", 1), "x-ratelimit-reset"]), NUMBER
    ),
    st.integers(0, 10**6),
)
def test_any_headers_leave_a_finite_true_time(headers: dict[str, str], charge: int) -> None:
    """Whatever a provider writes, an instance is back after five minutes at most, and at the time told."""
    limits = told(headers)
    at = limits.ready_at(charge, NOW + 1)
    assert NOW + 1 <= at <= NOW + 1 + LONGEST
    assert limits.ready_at(charge, at) == at
