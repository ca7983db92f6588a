"""Rules of what is counted."""

import pytest
from prometheus_client import CollectorRegistry

from flyllm._routing.price import Price
from flyllm.errors import (
    InvalidRequestError,
    LLMError,
    NoInstanceError,
    OverloadedError,
    ParseError,
    RateLimitError,
    ServerError,
)
from flyllm.observability.events import AttemptEvent, AttemptStart, RequestEvent
from flyllm.observability.prometheus.places import ERROR_TYPES
from flyllm.providers.base import Delta
from flyllm.request import GenerationRequest
from flyllm.tasks import TaskDefinition
from flyllm.types import Attempt, LLMResponse, TokenUsage
from tests.unit.fakes import FakeProvider, ManualClock, completion, instance
from tests.unit.observability.metered import Metered, label_values, metered

FIRST = {"instance": "i0", "provider": "openai", "model": "m0"}
SECOND = {"instance": "i1", "provider": "openai", "model": "m1"}
NOWHERE = {"instance": "", "provider": "", "model": ""}
TASKLESS = {"task": "default", "status": "success"}


def place(labels: dict[str, str]) -> dict[str, str]:
    return {name: labels[name] for name in ("instance", "provider")}


def kind(labels: dict[str, str]) -> dict[str, str]:
    return {name: labels[name] for name in ("provider", "model")}


def attempt(outcome: str = "success", number: int = 1, **fields: object) -> Attempt:
    values = {"started": 0.0, "waited": 0.0, "duration": 1.0, "usage": TokenUsage(3, 2, 5)} | fields
    return Attempt(number, 0, "i0", "openai", "m0", outcome=outcome, **values)  # type: ignore[arg-type]


def ended(under_test: Metered, attempt: Attempt, error: LLMError | None = None) -> None:
    under_test.observer.on_attempt(AttemptEvent(attempt, GenerationRequest("x"), {}, error, ""))


def test_an_answer_is_one_request_and_one_attempt_with_its_tokens_and_times() -> None:
    """Nothing else has moved."""
    m = metered(instance(0, FakeProvider(completion(usage=TokenUsage(30, 20, 50, 8, 4)))))
    m.core.run()
    assert m.value("llm_requests_total", **FIRST, **TASKLESS) == 1
    assert m.value("llm_attempts_total", **FIRST, outcome="success") == 1
    tokens = {
        name: m.value(f"llm_tokens_{name}_total", **FIRST) for name in ["prompt", "completion", "cached", "reasoning"]
    }
    assert tokens == {"prompt": 30, "completion": 20, "cached": 8, "reasoning": 4}
    assert m.value("llm_request_duration_seconds_count", **kind(FIRST), task="default") == 1
    assert m.value("llm_attempt_duration_seconds_count", **FIRST) == 1
    assert m.value("llm_slot_wait_seconds_count", **kind(FIRST)) == 1
    for name in ("errors", "retries", "failovers", "hedges", "rate_limits"):
        assert m.total(f"llm_{name}_total") == 0
    assert m.total("llm_time_to_first_token_seconds_count") == 0


def test_durations_fall_into_their_buckets() -> None:
    """A request's includes what it waited, an attempt's does not."""
    m = metered()
    ended(m, attempt(duration=4.0, waited=2.0))
    response = LLMResponse(instance_id=0, instance_name="i0", attempts=(attempt(),), duration=6.0)
    m.observer.on_request(RequestEvent(GenerationRequest("x"), response))
    assert m.value("llm_attempt_duration_seconds_bucket", **FIRST, le="3.0") == 0
    assert m.value("llm_attempt_duration_seconds_bucket", **FIRST, le="5.0") == 1
    assert m.value("llm_slot_wait_seconds_sum", **kind(FIRST)) == 2.0
    assert m.value("llm_request_duration_seconds_sum", **kind(FIRST), task="default") == 6.0


def test_a_failover_is_a_retry_at_the_new_instance_and_a_failover_of_the_one_left() -> None:
    """The request counts where its answer came from, the failure where it happened."""
    m = metered(instance(0, FakeProvider(ServerError("x"))), instance(1))
    m.core.run()
    assert m.value("llm_requests_total", **SECOND, **TASKLESS) == 1
    assert m.total("llm_requests_total") == 1
    assert m.value("llm_attempts_total", **FIRST, outcome="error") == 1
    assert m.value("llm_errors_total", **FIRST, error_type="api_error") == 1
    assert m.value("llm_retries_total", **place(SECOND)) == m.total("llm_retries_total") == 1
    assert m.value("llm_failovers_total", **place(FIRST)) == m.total("llm_failovers_total") == 1


def test_a_retry_at_the_same_instance_is_no_failover() -> None:
    """There was no other."""
    m = metered(instance(0, FakeProvider(ServerError("x"))))
    m.core.run()
    assert m.value("llm_retries_total", **place(FIRST)) == 1
    assert m.total("llm_failovers_total") == 0


def test_a_hedge_is_neither_retry_nor_failover() -> None:
    """The retry after it counts against the attempt that ended last."""
    m = metered(instance(0), instance(1))
    start = AttemptStart("r", 2, 1, "i1", "openai", "m1", 0.0, "hedge", None, GenerationRequest("x"))
    m.observer.on_start(start)
    assert m.value("llm_hedges_total", **place(SECOND)) == 1
    assert m.total("llm_retries_total") == m.total("llm_failovers_total") == 0
    m.observer.on_start(start._replace(number=3, chosen_because="probe", before=attempt("ServerError")))
    assert m.value("llm_retries_total", **place(SECOND)) == 1
    assert m.value("llm_failovers_total", **place(FIRST)) == 1


@pytest.mark.parametrize(
    ("error", "label", "limits"),
    [
        (RateLimitError("x"), "rate_limit", 1),
        (OverloadedError("x"), "api_error", 0),
        (ParseError("x"), "parse_error", 0),
    ],
)
def test_errors_are_counted_by_their_label_and_rate_limits_apart(error: LLMError, label: str, limits: int) -> None:
    """A provider that is overloaded as a whole has not limited us."""
    m = metered()
    ended(m, attempt(type(error).__name__), error)
    assert m.value("llm_errors_total", **FIRST, error_type=label) == m.total("llm_errors_total") == 1
    assert m.value("llm_rate_limits_total", **place(FIRST)) == limits


@pytest.mark.parametrize("outcome", ["abandoned", "outrun"])
def test_attempts_that_were_given_up_are_no_errors_and_their_tokens_count(outcome: str) -> None:
    """They are paid for."""
    m = metered()
    ended(m, attempt(outcome))
    assert m.value("llm_attempts_total", **FIRST, outcome=outcome) == 1
    assert m.value("llm_tokens_prompt_total", **FIRST) == 3
    assert m.total("llm_errors_total") == 0


def test_a_request_that_reaches_no_instance_has_an_error_and_empty_labels() -> None:
    """It has no attempt that could have counted the error."""
    m = metered(instance(0))
    m.core.disable(0)
    response = m.core.run()
    assert isinstance(response.error, NoInstanceError)
    assert m.value("llm_requests_total", **NOWHERE, task="default", status="error") == 1
    assert m.value("llm_errors_total", **NOWHERE, error_type="provider_disabled") == 1
    assert m.total("llm_attempts_total") == 0


def test_a_request_that_fails_counts_where_its_last_attempt_was() -> None:
    """Its error is counted by the attempt only."""
    m = metered(instance(0, FakeProvider(InvalidRequestError("x"))))
    m.core.run()
    assert m.value("llm_requests_total", **FIRST, task="default", status="error") == 1
    assert m.total("llm_errors_total") == 1


def test_a_request_that_ends_without_an_instance_to_blame_counts_where_its_last_attempt_was() -> None:
    """A deadline, for one, names none."""
    m = metered()
    ended(m, attempt("ServerError"), ServerError("x"))
    response = LLMResponse(error=NoInstanceError("x"), attempts=(attempt("ServerError"),))
    m.observer.on_request(RequestEvent(GenerationRequest("x"), response))
    assert m.value("llm_requests_total", **FIRST, task="default", status="error") == 1
    assert m.total("llm_errors_total") == 1


def test_tasks_are_the_defined_ones_default_or_unknown() -> None:
    """What a caller makes up is no label."""
    m = metered(instance(0, tasks=frozenset({"chat"})), tasks=[TaskDefinition("chat")])
    for task in (None, "chat", "made-up-1", "made-up-2"):
        m.core.run(GenerationRequest("x", task=task))
    assert m.total("llm_requests_total", task="default") == m.total("llm_requests_total", task="chat") == 1
    assert m.total("llm_requests_total", task="unknown") == 2
    assert label_values(m.registry, "task") == {"default", "chat", "unknown"}


def test_a_model_that_a_response_names_is_no_label() -> None:
    """Providers answer with dated names, and could with any."""
    m = metered(instance(0, FakeProvider(completion(model="m0-2099-01-01"))))
    assert m.core.run().model == "m0-2099-01-01"
    assert label_values(m.registry, "model") == {"m0"}
    assert m.value("llm_requests_total", **FIRST, **TASKLESS) == 1


def test_the_cost_is_counted_where_it_is_known() -> None:
    """Zero would say that it was for free."""
    m = metered(instance(0, price=Price(1.0, 2.0)))
    m.core.run()
    assert m.value("llm_cost_total", **FIRST) == pytest.approx((3 * 1.0 + 2 * 2.0) / 1e6)
    unknown = metered(instance(0))
    unknown.core.run()
    assert unknown.value("llm_cost_total", **FIRST) is None


def test_a_stream_tells_the_time_to_its_first_content() -> None:
    """Measured from the attempt's start, by the clock of the core."""
    clock = ManualClock()

    def after_a_while() -> Delta:
        clock.advance(0.4)
        return Delta(content="a")

    script = [after_a_while, Delta(finish_reason="stop", usage=TokenUsage(3, 2, 5))]
    m = metered(instance(0, FakeProvider(script)), clock=clock)
    assert "".join(chunk.content for chunk in m.core.stream()) == "a"
    assert m.value("llm_time_to_first_token_seconds_sum", **kind(FIRST)) == pytest.approx(0.4)
    assert m.value("llm_time_to_first_token_seconds_count", **kind(FIRST)) == 1
    assert m.value("llm_requests_total", **FIRST, **TASKLESS) == 1


def test_the_series_of_an_instance_begin_at_zero() -> None:
    """Else the first error would be no increase: Prometheus has to see a series before it moves."""
    m = metered(instance(0))
    assert m.value("llm_attempts_total", **FIRST, outcome="error") == 0
    assert {m.value("llm_errors_total", **FIRST, error_type=label) for label in ERROR_TYPES} == {0}
    assert m.value("llm_rate_limits_total", **place(FIRST)) == 0


def test_every_label_of_an_error_is_foreseen() -> None:
    """The error tree's, and no other."""
    assert set(ERROR_TYPES) >= {"api_error", "rate_limit", "request_error", "parse_error", "provider_disabled"}


def test_two_managers_on_one_registry_add_up() -> None:
    """Also where their instances have the same names and numbers."""
    registry = CollectorRegistry()
    managers = [metered(instance(0), registry=registry) for _ in range(2)]
    for m in managers:
        m.core.run()
    assert managers[0].value("llm_requests_total", **FIRST, **TASKLESS) == 2


def test_managers_on_two_registries_do_not_meet() -> None:
    """Neither shows what the other did."""
    first, second = metered(instance(0)), metered(instance(0))
    first.core.run()
    assert first.total("llm_requests_total") == 1
    assert second.total("llm_requests_total") == 0


def test_an_error_class_of_somebody_else_makes_no_label() -> None:
    """It counts as the base of all."""

    class TheirError(LLMError):
        label = "made-up"

    m = metered()
    ended(m, attempt("TheirError"), TheirError("x"))
    m.observer.on_request(RequestEvent(GenerationRequest("x"), LLMResponse(error=TheirError("x"))))
    assert m.value("llm_errors_total", **FIRST, error_type="api_error") == 1
    assert m.value("llm_errors_total", **NOWHERE, error_type="api_error") == 1
