"""Rate limits of the simulator, with time moved by hand."""

from flyllm.testing.limiter import RateLimiter
from flyllm.testing.wires.base import Limits


def test_requests_refill_evenly() -> None:
    """A bucket of 60 a minute gives one request a second back, and says how long to wait for it."""
    limiter = RateLimiter(rpm=60, tpm=None, now=0.0)
    assert [limiter.admit(5, 0.0) for _ in range(60)] == [0.0] * 60
    assert limiter.admit(5, 0.0) == 1.0
    assert limiter.admit(5, 0.25) == 0.75
    assert limiter.admit(5, 1.0) == 0.0
    assert limiter.admit(5, 1.0) == 1.0


def test_tokens_count_prompt_first_and_answer_afterwards() -> None:
    """The prompt must fit; the answer's tokens are taken even below zero and delay the next request."""
    limiter = RateLimiter(rpm=None, tpm=60, now=0.0)
    assert limiter.admit(30, 0.0) == 0.0
    limiter.spend(60)
    assert limiter.admit(1, 0.0) == 31.0
    assert limiter.admit(1, 31.0) == 0.0


def test_a_prompt_larger_than_the_limit_passes_when_the_bucket_is_full() -> None:
    """No request waits for ever."""
    limiter = RateLimiter(rpm=None, tpm=10, now=0.0)
    assert limiter.admit(1000, 0.0) == 0.0


def test_a_refused_request_takes_nothing() -> None:
    """What one limit turns down is not charged to the other."""
    limiter = RateLimiter(rpm=1, tpm=100, now=0.0)
    assert limiter.admit(10, 0.0) == 0.0
    assert limiter.admit(10, 0.0) > 0
    assert limiter.state.remaining_tokens == 90


def test_state_names_only_what_is_limited() -> None:
    """Headers are told limit, rest and seconds to the full bucket of each limited dimension."""
    limiter = RateLimiter(rpm=6, tpm=None, now=0.0)
    limiter.admit(1, 0.0)
    assert limiter.state == Limits(requests=6, remaining_requests=5, reset_requests=10.0)
