"""Rules of the attempt loop: how often, where, when, and what is raised in the end."""

from typing import Any

import pytest

from flyllm._execution.loop import MAX_HOPS
from flyllm._routing.instance import MAX_COOL
from flyllm.errors import (
    AuthenticationError,
    ConfigError,
    ContentFilterError,
    ContextLengthError,
    DeadlineExceededError,
    InvalidRequestError,
    LLMError,
    ManagerClosedError,
    ModelNotFoundError,
    OverloadedError,
    ParseError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    RequestError,
    ServerError,
)
from flyllm.types import Attempt
from tests.unit.fakes import GOOD, Core, FakeProvider, ManualClock, core, instance


def failing(*errors: Any, count: int = 1, **fields: Any) -> tuple[Core, list[FakeProvider]]:
    """A core of `count` instances that each play `errors` and then answer."""
    adapters = [FakeProvider(*errors) for _ in range(count)]
    return core(*(instance(n, adapter) for n, adapter in enumerate(adapters)), **fields), adapters


PASSING = [ServerError, OverloadedError, RateLimitError, RequestError, ParseError]
COUNTED = [kind for kind in PASSING if kind is not RateLimitError]
FINAL = [ContextLengthError, ContentFilterError]
EXCLUDING = [AuthenticationError, QuotaExceededError, ModelNotFoundError]


# How often


@pytest.mark.parametrize("retries", [0, 1, 2, 7])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("kind", COUNTED)
def test_max_retries_bounds_the_attempts_after_the_first(kind: type[LLMError], retries: int, count: int) -> None:
    """`max_retries=n` means at most n + 1 attempts in all, over however many instances."""
    running, adapters = failing(*[kind("x")] * 20, count=count, max_retries=retries)
    response = running.run()
    assert isinstance(response.error, kind)
    assert sum(len(adapter.requests) for adapter in adapters) == len(response.attempts) == retries + 1


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("retries", [1, 5])
def test_refusals_for_load_have_a_bound_of_their_own(retries: int, count: int) -> None:
    """They cost no retry, but after twenty hops the request gives up with the refusal."""
    running, adapters = failing(*[RateLimitError("x")] * 99, count=count, max_retries=retries)
    response = running.run()
    assert isinstance(response.error, RateLimitError)
    assert sum(len(adapter.requests) for adapter in adapters) == len(response.attempts) == 1 + MAX_HOPS == 21


def test_refusals_for_load_leave_the_retries_for_what_goes_wrong() -> None:
    """Ten refusals and then two failures are within max_retries=2; a third failure is not."""
    limited, broken = [RateLimitError("x")] * 10, ServerError("x")
    assert failing(*limited, broken, broken, max_retries=2)[0].run().success
    response = failing(*limited, broken, broken, broken, max_retries=2)[0].run()
    assert not response.success
    assert len(response.attempts) == 13


def test_a_request_that_may_not_be_retried_takes_no_hop() -> None:
    """`max_retries=0` is one wire call, also where that was refused for load or never sent."""
    for error in (RateLimitError("x"), RequestError("refused", sent=False)):
        running, adapters = failing(error, count=3, max_retries=0)
        assert running.run().error is error
        assert sum(len(adapter.requests) for adapter in adapters) == 1


@pytest.mark.parametrize("count", [1, 2, 4])
def test_what_was_never_sent_is_free_once_per_instance(count: int) -> None:
    """A refused connection is no attempt at the provider; the second one at the same instance counts."""
    running, adapters = failing(*[RequestError("refused", sent=False)] * 99, count=count, max_retries=2)
    assert isinstance(running.run().error, RequestError)
    assert sum(len(adapter.requests) for adapter in adapters) == (1 + 2) + count
    assert running.pool._scheduler.budget.spent == 0


@pytest.mark.parametrize("kind", PASSING)
def test_a_passing_failure_is_tried_again(kind: type[LLMError]) -> None:
    """What may pass is retried, and the answer carries the failed attempt in its ledger."""
    running, _ = failing(kind("x"))
    response = running.run()
    assert response.content == "ok"
    assert [attempt.outcome for attempt in response.attempts] == [kind.__name__, "success"]


@pytest.mark.parametrize("kind", FINAL)
def test_what_no_attempt_can_cure_is_raised_at_once(kind: type[LLMError]) -> None:
    """A prompt that is too long, or refused by policy, is not sent a second time anywhere."""
    running, adapters = failing(kind("x"), count=3)
    assert isinstance(running.run().error, kind)
    assert sum(len(adapter.requests) for adapter in adapters) == 1


@pytest.mark.parametrize("kind", FINAL)
def test_a_no_retry_advice_makes_nothing_retryable(kind: type[LLMError]) -> None:
    """OpenAI sends `x-should-retry: false` with every 400: it must not carry the prompt to other providers."""
    adapter, other = FakeProvider(kind("x", should_retry=False)), FakeProvider()
    running = core(instance(0, adapter), instance(1, other, provider="groq"))
    assert isinstance(running.run().error, kind)
    assert other.requests == []


# Where


def test_failover_goes_to_every_untried_instance_at_once() -> None:
    """As long as an untried instance is there, no time passes between attempts."""
    running, adapters = failing(ServerError("x"), count=4, max_retries=9)
    adapters[3]._script.clear()
    response = running.run()
    assert [attempt.instance_id for attempt in response.attempts] == [0, 1, 2, 3]
    assert running.clock.now == 1000.0
    assert running.clock.waits == []


@pytest.mark.parametrize("kind", EXCLUDING)
def test_a_useless_instance_is_not_used_again(kind: type[LLMError]) -> None:
    """A wrong key, an empty account, a missing model: the request goes elsewhere and never returns."""
    bad, flaky = FakeProvider(otherwise=kind("no")), FakeProvider(ServerError("x"), ServerError("x"))
    response = core(instance(0, bad), instance(1, flaky)).run()
    assert response.content == "ok"
    assert [attempt.instance_id for attempt in response.attempts] == [0, 1, 1, 1]


@pytest.mark.parametrize("kind", EXCLUDING)
def test_when_all_are_useless_it_is_raised_without_a_pause(kind: type[LLMError]) -> None:
    """Each instance is asked once, then the error comes at once."""
    running, adapters = failing(*[kind("no")] * 9, count=3, max_retries=99)
    assert isinstance(running.run().error, kind)
    assert [len(adapter.requests) for adapter in adapters] == [1, 1, 1]
    assert running.clock.waits == []


def test_a_refused_request_goes_once_to_every_other_model() -> None:
    """A 400 never goes to the same provider and model twice; another model or provider may take it."""
    bad = InvalidRequestError("HTTP 400: unknown parameter")
    adapters = [FakeProvider(otherwise=bad) for _ in range(4)]
    places = [("openai", "x"), ("openai", "x"), ("openai", "y"), ("groq", "x")]
    running = core(*(instance(n, adapters[n], provider=p, model=m) for n, (p, m) in enumerate(places)), max_retries=99)
    assert isinstance(running.run().error, InvalidRequestError)
    assert [len(adapter.requests) for adapter in adapters] == [1, 0, 1, 1]


def test_a_refused_request_is_answered_by_who_takes_it() -> None:
    """A parameter one model rejects, another accepts."""
    running = core(instance(0, FakeProvider(InvalidRequestError("no"))), instance(1, provider="groq"))
    response = running.run()
    assert (response.content, response.provider) == ("ok", "groq")


def test_a_provider_that_advises_against_a_retry_is_left_out() -> None:
    """`x-should-retry: false` excludes all instances of that provider for this request."""
    first, second, other = FakeProvider(ServerError("x", should_retry=False)), FakeProvider(), FakeProvider()
    running = core(instance(0, first), instance(1, second), instance(2, other, provider="groq"))
    assert running.run().provider == "groq"
    assert second.requests == []


def test_a_missing_sdk_leads_to_another_provider() -> None:
    """Where one provider's package is not installed, others serve; alone, its error is raised."""
    missing = ConfigError("install flyllm[openai]")
    assert core(instance(0, FakeProvider(missing)), instance(1, provider="groq")).run().provider == "groq"
    assert core(instance(0, FakeProvider(missing))).run().error is missing


def test_a_bug_in_an_adapter_leads_to_another_provider() -> None:
    """An exception that is none of ours is an attempt that failed, with its place in the code, and no key in it."""
    bug = KeyError("choices sk-abcdef0123456789")
    running = core(
        instance(0, FakeProvider(bug)), instance(1, FakeProvider(bug)), instance(2, FakeProvider(), provider="groq")
    )
    response = running.run()
    assert response.provider == "groq"
    assert [attempt.outcome for attempt in response.attempts] == ["ProviderError", "success"]
    assert "unexpected KeyError in fakes.py:" in str(response.attempts[0].error)
    assert "sk-abc" not in str(response.attempts[0].error)


def test_a_bug_in_the_only_adapter_is_an_llm_error() -> None:
    """Whoever catches LLMError catches that too; the original exception, which may hold a key, is not attached."""
    error = core(instance(0, FakeProvider(otherwise=KeyError("x")))).run().error
    assert type(error) is ProviderError
    assert error.__cause__ is None
    assert error.__context__ is None


def test_an_instance_disabled_meanwhile_is_not_used() -> None:
    """Between attempts the owner may take an instance out; what failed is raised, not that nobody is left."""
    failed = ServerError("HTTP 500")

    def fail_and_disable(request: object) -> LLMError:
        running.disable(0)
        return failed

    running = core(instance(0, FakeProvider(fail_and_disable)))
    assert running.run().error is failed


def test_an_instance_disabled_during_the_pause_hides_no_reason() -> None:
    """ "All are disabled" does not replace the error that the request met."""
    failed = ServerError("HTTP 500")
    running = core(instance(0, FakeProvider(failed)))
    running.clock.at(0.0001, lambda: running.disable(0))
    assert running.run().error is failed


# When


def pauses(running: Core) -> list[tuple[float, float]]:
    """The bounds between which pauses were drawn."""
    return [draw for draw in running.clock.draws if draw[0] == 0 and draw[1] <= 8]


@pytest.mark.parametrize(
    ("count", "bounds"),
    [(1, [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]), (2, [1.0, 2.0, 4.0, 8.0, 8.0]), (4, [4.0, 8.0, 8.0])],
)
def test_when_all_were_tried_every_retry_pauses(count: int, bounds: list[float]) -> None:
    """The first round goes on at once; then the request waits a random time whose bound doubles with its failures."""
    running, _ = failing(*[ServerError("x")] * 20, count=count, max_retries=6)
    response = running.run()
    assert pauses(running) == [(0.0, bound) for bound in bounds]
    waited = [attempt.waited for attempt in response.attempts]
    assert waited[:count] == [0.0] * count
    assert all(0.0 < pause <= bound for pause, bound in zip(waited[count:], bounds, strict=True))


def test_refusals_for_load_do_not_lengthen_the_pauses() -> None:
    """They say nothing of the request; the instance itself says how long it wants to be left alone."""
    running, _ = failing(*[RateLimitError("x", retry_after=0.0)] * 10)
    assert running.run().success
    assert set(pauses(running)) == {(0.0, 0.5)}


def test_retry_after_is_honoured_and_not_by_less() -> None:
    """A single instance that asks for 7 seconds is left alone for 7, up to a tenth more."""
    running, _ = failing(RateLimitError("slow", retry_after=7.0))
    response = running.run()
    assert response.attempts[0].retry_after == 7.0
    assert 1007.0 <= running.clock.now <= 1007.7
    assert 7.0 <= response.attempts[1].waited <= 7.7


def test_retry_after_shorter_than_the_pause_does_not_shorten_it() -> None:
    """Of the two waits the longer counts."""
    running, _ = failing(*[RateLimitError("slow", retry_after=0.0)] * 5)
    response = running.run()
    assert response.success
    assert all(attempt.waited > 0.0 for attempt in response.attempts[1:])


def test_the_first_to_be_ready_is_asked_first() -> None:
    """With two different Retry-Afters the shorter one decides the pause, and the other is still left alone."""
    adapters = [FakeProvider(RateLimitError("x", retry_after=30.0)), FakeProvider(RateLimitError("x", retry_after=2.0))]
    running = core(instance(0, adapters[0]), instance(1, adapters[1]))
    response = running.run()
    assert [attempt.instance_id for attempt in response.attempts] == [0, 1, 1]
    assert 1002.0 <= running.clock.now <= 1002.2


def test_an_instance_is_not_asked_early_because_another_is_out() -> None:
    """A wrong key at one instance is no reason to come early to the one that asked for time."""
    limited, wrong = FakeProvider(RateLimitError("x", retry_after=30.0)), FakeProvider(AuthenticationError("no"))
    running = core(instance(0, limited), instance(1, wrong))
    response = running.run()
    assert [attempt.instance_id for attempt in response.attempts] == [0, 1, 0]
    assert 1030.0 <= running.clock.now <= 1033.0


def test_a_pause_beyond_the_deadline_raises_the_error_now() -> None:
    """Nobody sleeps for an attempt that could not be made; the error says how long the provider wanted."""
    running, _ = failing(RateLimitError("slow", retry_after=60.0))
    error = running.run(timeout=10.0).error
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 60.0
    assert running.clock.now == 1000.0


def test_a_request_without_deadline_does_not_sleep_for_hours() -> None:
    """`Retry-After: 86400` on the only instance is raised at once."""
    running, _ = failing(RateLimitError("tomorrow", retry_after=86400.0))
    assert isinstance(running.run().error, RateLimitError)
    assert running.clock.now == 1000.0
    assert failing(RateLimitError("soon", retry_after=MAX_COOL / 1.2))[0].run().success


def test_the_deadline_covers_all_attempts_and_pauses() -> None:
    """When time is up in an attempt, DeadlineExceededError says what failed last and carries the ledger."""
    clock = ManualClock()

    def slow(request: object) -> LLMError:
        clock.advance(4.0)
        return RequestError("no answer within the attempt's timeout")

    running = core(instance(0, FakeProvider(otherwise=slow)), clock=clock, max_retries=99)
    error = running.run(timeout=10.0).error
    assert isinstance(error, DeadlineExceededError)
    assert "at i0: no answer within the attempt's timeout" in str(error)
    assert len(error.attempts) == 3
    assert isinstance(error.__cause__, RequestError)


def test_the_deadline_counts_also_where_no_retry_is_left() -> None:
    """An attempt that used up the time ends in DeadlineExceededError even with max_retries=0."""
    clock = ManualClock()

    def slow(request: object) -> LLMError:
        clock.advance(request.timeout)  # type: ignore[attr-defined]
        return RequestError("no answer within the attempt's timeout")

    running = core(instance(0, FakeProvider(slow)), clock=clock, max_retries=0)
    assert isinstance(running.run(timeout=10.0).error, DeadlineExceededError)


def test_a_final_answer_at_the_deadline_is_not_called_late() -> None:
    """A wrong key found in the last moment is reported as that: more time would not have helped."""
    clock = ManualClock()

    def slow(request: object) -> LLMError:
        clock.advance(10.0)
        return AuthenticationError("no")

    assert isinstance(core(instance(0, FakeProvider(slow)), clock=clock).run(timeout=10.0).error, AuthenticationError)


def test_a_request_that_is_late_already_is_not_sent() -> None:
    """With no time left nothing goes out."""
    running, adapters = failing()
    job = running.job(timeout=5.0)
    running.clock.advance(5.0)
    assert isinstance(running.call.run(job).error, DeadlineExceededError)
    assert adapters[0].requests == []


def test_a_place_that_comes_at_the_deadline_is_not_used() -> None:
    """A request that waited for its place until the last moment is not sent with a timeout of zero."""
    running, adapters = failing()
    place = instance(1, adapters[0], max_concurrency=1)
    running = core(place)
    held = running.pool.acquire(running.job().route, running.job().deadline)
    running.clock.at(5.0, lambda: held.close(GOOD))
    assert isinstance(running.run(timeout=5.0).error, DeadlineExceededError)
    assert adapters[0].requests == []
    assert running.pool.in_flight() == 0


@pytest.mark.parametrize(("own", "timeout", "sent"), [(180.0, None, 180.0), (180.0, 20.0, 20.0), (3.0, 20.0, 3.0)])
def test_an_attempt_gets_the_time_it_may_take(own: float, timeout: float | None, sent: float) -> None:
    """An attempt's timeout is the instance's, cut by what the request has left."""
    adapter = FakeProvider()
    core(instance(0, adapter, attempt_timeout=own)).run(timeout=timeout)
    assert adapter.requests[0].timeout == sent


def test_closing_ends_a_pause() -> None:
    """A manager that closes does not wait for the pauses of its requests."""
    running, _ = failing(RateLimitError("slow", retry_after=60.0))
    running.clock.at(1.0, running.close)
    error = running.run().error
    assert isinstance(error, ManagerClosedError)
    assert running.clock.now == 1001.0
    assert isinstance(error.__cause__, RateLimitError)
    assert len(error.attempts) == 1


def test_interrupts_are_not_retried() -> None:
    """Ctrl-C in an attempt comes out at once, the place is given back, and the ledger says "abandoned"."""
    running, adapters = failing(KeyboardInterrupt(), count=2)
    with pytest.raises(KeyboardInterrupt):
        running.run()
    assert running.pool.in_flight() == 0
    assert adapters[1].requests == []
    assert [event.attempt.outcome for event in running.recorder.attempts] == ["abandoned"]


# What is raised


def test_the_error_raised_is_the_one_to_act_on() -> None:
    """Among a wrong key, a rate limit and a hiccup the wrong key is raised; the last failure is its cause."""
    wrong, last = AuthenticationError("HTTP 401"), ServerError("HTTP 500")
    running = core(
        instance(0, FakeProvider(wrong)),
        instance(1, FakeProvider(otherwise=RateLimitError("x"))),
        instance(2, FakeProvider(otherwise=last)),
        max_retries=2,
    )
    error = running.run().error
    assert error is wrong
    assert error.__cause__ is last
    assert (error.provider, error.model, error.instance) == ("openai", "m0", "i0")


def test_the_response_of_a_failure_names_the_instance_of_its_error() -> None:
    """Provider, model, id and name in the response are of one instance: the error's."""
    running = core(
        instance(0, FakeProvider(AuthenticationError("x"))),
        instance(1, FakeProvider(otherwise=ServerError("y"))),
        max_retries=1,
    )
    response = running.run()
    assert (response.instance_id, response.instance_name, response.model) == (0, "i0", "m0")


def test_the_error_carries_the_whole_ledger() -> None:
    """Every attempt made is in `error.attempts`, in order, also those at other instances."""
    running, _ = failing(*[ServerError("x", status_code=503)] * 9, count=2, max_retries=3)
    response = running.run()
    assert response.error is not None
    assert response.error.attempts == response.attempts
    assert [attempt.instance_id for attempt in response.attempts][:2] == [0, 1]
    assert [attempt.number for attempt in response.attempts] == [1, 2, 3, 4]


def test_the_ledger_says_what_happened() -> None:
    """Each record has the times, the status, the reason for the choice, and what the provider asked for."""
    clock = ManualClock()

    def limited(request: object) -> LLMError:
        clock.advance(0.25)
        return RateLimitError("HTTP 429: slow", status_code=429, retry_after=4.0, request_id="r-1")

    def answered(request: object) -> str:
        clock.advance(1.5)
        return "ok"

    response = core(instance(0, FakeProvider(limited, answered)), clock=clock, strategy="lru").run()
    first, second = response.attempts
    assert (first.number, first.instance_id, first.instance_name) == (1, 0, "i0")
    assert (first.provider, first.model) == ("openai", "m0")
    assert (first.started, first.waited, first.duration) == (1_700_001_000.0, 0.0, 0.25)
    assert (first.outcome, first.error, first.status_code) == ("RateLimitError", "HTTP 429: slow", 429)
    assert (first.retry_after, first.request_id, first.chosen_because) == (4.0, "r-1", "lru")
    assert not first.success
    assert (second.number, second.outcome, second.error, second.status_code) == (2, "success", None, 200)
    assert 4.0 <= second.waited <= 4.4
    assert second.started == pytest.approx(first.started + 0.25 + second.waited)
    assert (second.duration, second.chosen_because, second.request_id) == (1.5, "retry", "call-1")
    assert second.usage.total_tokens == 5
    assert response.duration == pytest.approx(0.25 + second.waited + 1.5)


def test_waiting_for_a_place_is_in_the_ledger() -> None:
    """`waited` counts the time in the queue as well."""
    running = core(instance(0, max_concurrency=1))
    held = running.pool.acquire(running.job().route, running.job().deadline)
    running.clock.at(2.5, lambda: held.close(GOOD))
    assert running.run().attempts[0].waited == 2.5


def test_a_strategy_that_breaks_in_the_second_attempt_ends_the_request() -> None:
    """A failing strategy is no failure of the instance tried before, and is not retried."""

    class Moody:
        calls = 0

        def select(self, candidates: Any) -> Any:
            self.calls += 1
            if self.calls == 2:
                raise ValueError("moody")
            return candidates[0]

    running = core(instance(0, FakeProvider(ServerError("x"))), instance(1, provider="groq"), strategy=Moody())
    error = running.run().error
    assert isinstance(error, ConfigError)
    assert "moody" in str(error)
    assert len(error.attempts) == 1
    assert running.pool.in_flight() == 0


def test_every_request_starts_with_a_clean_slate() -> None:
    """What one request excluded is open to the next, as long as the instance itself is not given up."""
    running, adapters = failing(
        InvalidRequestError("x"), ConfigError("y"), InvalidRequestError("z", should_retry=False)
    )
    for kind in (InvalidRequestError, ConfigError, InvalidRequestError):
        assert isinstance(running.run().error, kind)
    assert running.run().success
    assert len(adapters[0].requests) == 4


@pytest.mark.parametrize("kind", [InvalidRequestError, ContextLengthError, ContentFilterError])
def test_a_bad_request_does_not_count_against_the_instance(kind: type[LLMError]) -> None:
    """A client that sends rubbish does not make a healthy instance look ill."""
    running, _ = failing(kind("x"))
    running.run()
    (snapshot,) = running.pool.snapshots()
    assert (snapshot.requests, snapshot.failures, snapshot.latency) == (0, 0, None)


def test_a_local_failure_does_not_count_against_the_instance() -> None:
    """No free file in this process is not the provider's fault."""
    running, _ = failing(RequestError("no free file", local=True))
    running.run()
    (snapshot,) = running.pool.snapshots()
    assert (snapshot.requests, snapshot.failures) == (1, 0)


def test_a_deadline_that_passes_in_the_queue_says_what_went_before() -> None:
    """Its owner learns why the request was there once more; said once, also where the error says it already."""
    running, _ = failing()
    job = running.job()
    loop = running.call._loop
    waiting = DeadlineExceededError("no instance became free before the request's deadline")
    assert str(loop.steps(job).conclusion(waiting)[0]) == "no instance became free before the request's deadline"
    job.ledger.append(Attempt(3, 0, "i0", "openai", "m", 0.0, 0.0, 0.1, "RequestError", error="Too many open files"))
    for _ in range(2):
        final, _ = loop.steps(job).conclusion(waiting)
        assert str(final) == (
            "no instance became free before the request's deadline, after attempt 3 at i0: Too many open files"
        )
