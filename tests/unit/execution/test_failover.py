"""Rules of where requests go next: what one learns of an instance holds for all, and what that costs."""

from typing import Any

import pytest

from flyllm.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    DeadlineExceededError,
    InvalidRequestError,
    LLMError,
    ModelNotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    RequestError,
    ServerError,
)
from tests.unit.fakes import GOOD, Core, FakeProvider, core, instance


def failing(*errors: Any, count: int = 1, **fields: Any) -> tuple[Core, list[FakeProvider]]:
    """A core of `count` instances that each play `errors` and then answer."""
    adapters = [FakeProvider(*errors) for _ in range(count)]
    return core(*(instance(n, adapter) for n, adapter in enumerate(adapters)), **fields), adapters


FINAL = [ContextLengthError, ContentFilterError]


# Context windows


def windows(*sizes: int | None, errors: int = 1) -> tuple[Core, list[FakeProvider]]:
    """A core of instances with these context windows, of which the first ones find the prompt too long."""
    adapters = [FakeProvider(*[ContextLengthError("too long")] * (n < errors)) for n in range(len(sizes))]
    places = [instance(n, a, context_window=w) for n, (a, w) in enumerate(zip(adapters, sizes, strict=True))]
    return core(*places), adapters


def test_a_prompt_too_long_goes_once_to_a_larger_window() -> None:
    """Not to an equal or an unknown one, and at once."""
    running, _ = windows(8_000, None, 8_000, 32_000)
    response = running.run()
    assert [attempt.instance_id for attempt in response.attempts] == [0, 3]
    assert response.success
    assert running.clock.now == 1000.0


def test_a_prompt_too_long_for_the_largest_window_is_told_so_at_once() -> None:
    """Each larger window is asked once, then the error comes without a pause."""
    running, _ = windows(8_000, 32_000, 128_000, None, errors=4)
    response = running.run()
    assert isinstance(response.error, ContextLengthError)
    assert [attempt.instance_id for attempt in response.attempts] == [0, 1, 2]
    assert running.clock.now == 1000.0


@pytest.mark.parametrize("sizes", [(None, 1_000_000), (8_000, None), (8_000, 8_000), (32_000, 8_000), (8_000,)])
def test_a_prompt_too_long_where_none_is_known_to_be_larger_is_raised(sizes: tuple[int | None, ...]) -> None:
    """Without two numbers there is nothing to compare, and no wire call is spent on a guess."""
    running, adapters = windows(*sizes)
    assert isinstance(running.run().error, ContextLengthError)
    assert [len(adapter.requests) for adapter in adapters] == [1] + [0] * (len(sizes) - 1)


def test_a_failure_elsewhere_does_not_bring_a_prompt_back_to_a_small_window() -> None:
    """What was too small stays ruled out, also while the larger one is tried again."""
    running, adapters = windows(8_000, 32_000)
    adapters[1]._script = [ServerError("x"), ServerError("x")]
    assert [attempt.instance_id for attempt in running.run().attempts] == [0, 1, 1, 1]


# Keys, accounts and models that are refused


GIVEN_UP = [(AuthenticationError, 60.0), (QuotaExceededError, 300.0), (ModelNotFoundError, 300.0)]


@pytest.mark.parametrize(("kind", "seconds"), GIVEN_UP)
def test_a_refused_instance_is_left_alone_by_all_requests(kind: type[LLMError], seconds: float) -> None:
    """One wire call finds out; the others serve without asking it again until its time is over, then one probe does."""
    running, (bad, _) = failing(count=2)
    bad._script = [kind("no")]
    assert [running.run().instance_id for _ in range(5)] == [1] * 5
    running.clock.advance(seconds - 1.0)
    assert running.run().instance_id == 1
    assert len(bad.requests) == 1
    running.clock.advance(1.0)
    response = running.run()
    assert (response.instance_id, response.attempts[0].chosen_because) == (0, "probe")


@pytest.mark.parametrize(("kind", "seconds"), GIVEN_UP)
@pytest.mark.parametrize("count", [1, 3])
def test_when_all_are_given_up_it_is_raised_at_once(kind: type[LLMError], seconds: float, count: int) -> None:
    """The next requests get the provider's refusal without a wire call or a wait, and when to come again."""
    running, adapters = failing(*[kind("no", status_code=400, code="c")] * 9, count=count)
    assert isinstance(running.run().error, kind)
    running.clock.advance(10.0)
    before = running.clock.now
    error = running.run().error
    assert type(error) is kind
    assert error.retry_after == pytest.approx(seconds - 10.0)
    assert (error.status_code, error.code, error.provider, error.attempts) == (400, "c", "openai", ())
    assert f"{seconds - 10:.0f} s" in str(error)
    assert "no instance that could serve the request is left" in str(error)
    assert running.clock.now == before
    assert [len(adapter.requests) for adapter in adapters] == [1] * count


def test_a_refusal_repeated_by_the_probe_doubles_the_time() -> None:
    """60, 120, 240 seconds: a wrong key costs one wire call per doubling, not per request."""
    running, (adapter,) = failing(*[AuthenticationError("no")] * 99)
    running.run()
    for seconds in (60.0, 120.0, 240.0):
        running.clock.advance(seconds - 0.1)
        wire = len(adapter.requests)
        assert isinstance(running.run().error, AuthenticationError)
        assert len(adapter.requests) == wire
        running.clock.advance(0.1)
        assert isinstance(running.run().error, AuthenticationError)
        assert len(adapter.requests) == wire + 1


def test_enabling_forgives() -> None:
    """Whoever has put the key right does not wait: the next request goes there, trusted and not as a probe."""
    running, _ = failing(AuthenticationError("no"))
    running.run()
    running.enable(0)
    response = running.run()
    assert (response.content, response.attempts[0].chosen_because) == ("ok", "first")


def test_two_doubtful_403s_in_a_row_give_the_key_up() -> None:
    """One says nothing of the key; for two different requests in a row it does, and an answer between starts anew."""
    doubt = AuthenticationError("HTTP 403", status_code=403)
    running, (adapter,) = failing(doubt, "ok", doubt, doubt)
    outcomes = [type(running.run().error) for _ in range(5)]
    assert outcomes == [AuthenticationError, type(None), *[AuthenticationError] * 3]
    assert len(adapter.requests) == 4
    assert running.pool.snapshots()[0].health == "open"


@pytest.mark.parametrize("kind", [ContextLengthError, ContentFilterError, InvalidRequestError])
def test_a_403_whose_reason_is_known_is_no_doubt_about_the_key(kind: type[LLMError]) -> None:
    """Together says 403 to a prompt that is too long, others to a moderated one: the key is good."""
    running, _ = failing(*[kind("HTTP 403", status_code=403)] * 5)
    for _ in range(5):
        assert isinstance(running.run().error, kind)
    assert running.run().success


def test_a_403_that_names_the_key_gives_it_up_at_once() -> None:
    """With a telling code one is enough."""
    running, (adapter,) = failing(*[AuthenticationError("x", status_code=403, code="permission_denied")] * 9)
    for _ in range(3):
        assert isinstance(running.run().error, AuthenticationError)
    assert len(adapter.requests) == 1


# Overload, rate limits, priorities


def test_an_overloaded_provider_is_left_aside_while_others_are_there() -> None:
    """The next attempt goes to another provider, past the nearer instance of the same one; only then back."""
    adapters = [FakeProvider(OverloadedError("x")), FakeProvider(), FakeProvider(OverloadedError("x"))]
    providers = ["anthropic", "anthropic", "openai"]
    running = core(*(instance(n, adapters[n], provider=p) for n, p in enumerate(providers)))
    assert [attempt.instance_id for attempt in running.run().attempts] == [0, 2, 1]


def test_an_overloaded_provider_serves_where_it_is_the_only_one() -> None:
    """Preferring others excludes nobody."""
    running, _ = failing(OverloadedError("x"), count=2)
    response = running.run()
    assert response.success
    assert [attempt.outcome for attempt in response.attempts] == ["OverloadedError", "OverloadedError", "success"]


def test_a_limited_instance_is_left_alone_by_all_requests() -> None:
    """Retry-After holds for every request until its time is over, and no attempt comes early."""
    running, (limited, _) = failing(count=2)
    limited._script = [RateLimitError("x", retry_after=10.0)]
    assert running.run().instance_id == 1
    assert [running.run().instance_id for _ in range(5)] == [1] * 5
    running.clock.advance(9.9)
    assert running.run().instance_id == 1
    running.clock.advance(1.1)
    assert running.run().instance_id == 0


def test_a_request_does_not_wait_for_a_limited_instance_it_has_not_tried() -> None:
    """A failure at the only instance that is up is retried there after a pause, not in five minutes elsewhere."""
    running, (limited, flaky) = failing(count=2)
    limited._script = [RateLimitError("x", retry_after=200.0)]
    flaky._script = ["ok", ServerError("x"), ServerError("x")]
    running.run()
    response = running.run()
    assert [attempt.instance_id for attempt in response.attempts] == [1, 1, 1]
    assert 1000.0 < running.clock.now <= 1001.5


def test_backups_serve_only_while_no_primary_can() -> None:
    """A higher priority number is used when all lower ones are tried, full, cooling or out, and not else."""
    first, second, backup = FakeProvider(), FakeProvider(), FakeProvider()
    running = core(
        instance(0, backup, priority=1), instance(1, first, max_concurrency=1), instance(2, second), strategy="lru"
    )
    assert {running.run().instance_id for _ in range(10)} == {1, 2}
    first._script, second._script = [ServerError("x")], [ServerError("x")]
    assert [attempt.instance_id for attempt in running.run().attempts][2:] == [0]
    running.disable(2)
    held = running.pool.acquire(running.job().route, running.job().deadline)
    assert running.run().instance_id == 0
    held.close(GOOD)
    assert running.run().instance_id == 1


# The retry budget


def test_an_empty_retry_budget_delays_and_drops_nothing() -> None:
    """Without a token a retry waits for one, a second at most, and is made then."""
    running, adapters = failing(ServerError("x"), count=3)
    adapters[2]._script = []
    budget = running.pool._scheduler.budget
    while budget.take(1000.0) == 0.0:
        pass
    response = running.run()
    assert response.success
    assert [attempt.waited for attempt in response.attempts] == pytest.approx([0.0, 1.0, 1.0])


@pytest.mark.parametrize("error", [RateLimitError("x"), RequestError("x", sent=False), InvalidRequestError("x")])
def test_what_costs_the_provider_nothing_costs_no_token(error: LLMError) -> None:
    """Failover from a refusal or a connection not made goes on at once, however empty the budget."""
    running, _ = failing(count=2)
    running.pool._scheduler.states[0].instance.adapter._script = [error]  # type: ignore[attr-defined]
    budget = running.pool._scheduler.budget
    while budget.take(1000.0) == 0.0:
        pass
    assert running.run().success
    assert running.clock.now == 1000.0


def test_a_retry_that_comes_too_late_for_want_of_a_token_is_late() -> None:
    """A deadline before the next token ends the request without another wire call."""
    running, adapters = failing(*[ServerError("x")] * 9)
    budget = running.pool._scheduler.budget
    while budget.take(1000.0) == 0.0:
        pass
    error = running.run(timeout=0.9).error
    assert isinstance(error, ServerError | DeadlineExceededError)
    assert len(adapters[0].requests) == 1
    assert running.clock.now <= 1000.9
