"""What OpenTelemetry gets to see of requests: spans, their times and parents, metrics, and no prompts."""

import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from flyllm.errors import InvalidRequestError, NoInstanceError, RateLimitError, ServerError, StreamInterruptedError
from flyllm.observability.events import AttemptEvent, AttemptStart, RequestEvent
from flyllm.observability.opentelemetry import OpenTelemetryObserver, observer
from flyllm.observability.opentelemetry.content import VARIABLE
from flyllm.providers.base import Delta
from flyllm.request import GenerationRequest
from flyllm.types import Attempt, LLMResponse, TokenUsage
from tests.unit.fakes import Core, FakeProvider, ManualClock, completion, core, instance

SECRET = "the prompt, which is nobody else's business"
ANSWER = "the answer, which neither is"


class Telescope:
    """An observer, and what came out at the other end of the SDK."""

    def __init__(self, **options: Any) -> None:
        self._exporter, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider(**options)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.observer = OpenTelemetryObserver(self.tracers, MeterProvider([self._reader]))

    @property
    def spans(self) -> list[ReadableSpan]:
        """Attempts in their order, then their request."""
        return list(self._exporter.get_finished_spans())

    def points(self, name: str) -> list[Any]:
        """The histograms under a name, one per set of attributes."""
        data = self._reader.get_metrics_data()
        resources = data.resource_metrics if data is not None else ()
        metrics = [metric for each in resources for scope in each.scope_metrics for metric in scope.metrics]
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Telescope:
    monkeypatch.delenv(VARIABLE, raising=False)
    return Telescope()


def made(seen: Telescope, *instances: Any, **options: Any) -> Core:
    return core(*instances, observers=[seen.observer], **options)


def seconds(span: ReadableSpan) -> tuple[float, float]:
    """Start and end, after the manual clock's beginning."""
    assert span.start_time is not None
    assert span.end_time is not None
    began = 1_700_001_000
    return round(span.start_time / 1e9 - began, 3), round(span.end_time / 1e9 - began, 3)


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent is not None else None


def own(span: ReadableSpan) -> int:
    assert span.context is not None
    number: int = span.context.span_id
    return number


def of(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


def test_a_request_is_a_span_and_its_attempt_one_under_it(seen: Telescope) -> None:
    """With the conventions' names, kinds and attributes."""
    usage = TokenUsage(10, 5, 15, 4, 2)
    provider = FakeProvider(completion(f'{{"a": "{ANSWER}"}}', usage, model="m0-0613", raw={"id": "chatcmpl-1"}))
    params = {"temperature": 0.5, "max_tokens": 50, "stop": "END", "top_k": 4, "n": 2, "seed": 7, "logprobs": True}
    request = GenerationRequest(SECRET, params=params, response_format={"type": "json_object"})
    made(seen, instance(0, provider)).run(request)
    attempt, whole = seen.spans
    assert (attempt.name, attempt.kind) == ("chat m0", SpanKind.CLIENT)
    assert (whole.name, whole.kind) == ("flyllm.generate", SpanKind.INTERNAL)
    assert (parent(whole), parent(attempt)) == (None, own(whole))
    assert of(attempt) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m0",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.stop_sequences": ("END",),
        "gen_ai.request.top_k": 4,
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.seed": 7,
        "gen_ai.output.type": "json",
        "gen_ai.response.model": "m0-0613",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "http.response.status_code": 200,
        "flyllm.instance.id": 0,
        "flyllm.instance.name": "i0",
        "flyllm.attempt.number": 1,
        "flyllm.attempt.outcome": "success",
        "flyllm.attempt.reason": "first",
        "flyllm.attempt.waited": 0.0,
        "flyllm.attempt.request_id": "call-1",
    }
    name = of(whole)["flyllm.request.id"]
    assert of(whole) == {"flyllm.request.id": name, "flyllm.attempts": 1, "flyllm.failovers": 0}
    assert {span.status.status_code for span in seen.spans} == {StatusCode.UNSET}


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("openai", "openai"),
        ("anthropic", "anthropic"),
        ("google", "gcp.gemini"),
        ("mistral", "mistral_ai"),
        ("cohere", "cohere"),
        ("groq", "groq"),
        ("perplexity", "perplexity"),
        ("togetherai", "togetherai"),
        ("ollama", "ollama"),
        ("lmstudio", "lmstudio"),
    ],
)
def test_providers_have_the_conventions_names(seen: Telescope, provider: str, name: str) -> None:
    """Where they know one; else flyllm's."""
    made(seen, instance(0, provider=provider)).run()
    assert of(seen.spans[0])["gen_ai.provider.name"] == name


def test_the_span_that_is_current_for_the_caller_is_the_parent(seen: Telescope) -> None:
    """So that a request shows in the trace of what it was made for."""
    tracer = seen.tracers.get_tracer("application")
    with tracer.start_as_current_span("job") as job:
        made(seen, instance(0)).run()
    _, whole, _ = seen.spans
    assert parent(whole) == job.get_span_context().span_id


def test_a_stream_belongs_to_where_it_was_opened(seen: Telescope) -> None:
    """It may be read under another span, or closed where there is none, as by the garbage collector."""
    tracer, running = seen.tracers.get_tracer("application"), made(seen, instance(0))
    with tracer.start_as_current_span("opener") as opener:
        stream = running.stream()
    with tracer.start_as_current_span("reader"):
        list(stream)
    whole = seen.spans[-2]
    assert whole.name == "flyllm.generate_stream"
    assert parent(whole) == opener.get_span_context().span_id


def slow(clock: ManualClock, took: float, step: Any) -> Callable[[object], Any]:
    """A provider's step that takes its time."""

    def answer(request: object) -> Any:
        clock.advance(took)
        return completion(step) if isinstance(step, str) else step

    return answer


def test_a_failover_shows(seen: Telescope) -> None:
    """Which attempt failed, when and how; the next one is linked to it and says why it was made."""
    clock = ManualClock()
    broken, good = (
        FakeProvider(slow(clock, 2.0, ServerError("no", status_code=503))),
        FakeProvider(slow(clock, 3.0, "ok")),
    )
    made(seen, instance(0, broken), instance(1, good), clock=clock).run()
    first, second, whole = seen.spans
    assert (seconds(whole), seconds(first), seconds(second)) == ((0.0, 5.0), (0.0, 2.0), (2.0, 5.0))
    assert parent(first) == parent(second) == own(whole)
    assert (first.status.status_code, first.status.description) == (StatusCode.ERROR, "ServerError (HTTP 503)")
    assert (of(first)["error.type"], of(first)["http.response.status_code"]) == ("ServerError", 503)
    assert [link.context.span_id for link in second.links] == [own(first)]
    assert of(second)["flyllm.attempt.reason"] == "failover"
    assert (of(whole)["flyllm.attempts"], of(whole)["flyllm.failovers"]) == (2, 1)
    assert whole.status.status_code is StatusCode.UNSET


def test_waiting_counts_to_the_request_and_not_to_the_attempt(seen: Telescope) -> None:
    """A request that waits for a place is under way from the beginning."""
    clock = ManualClock()
    running = made(seen, instance(0, FakeProvider(otherwise=slow(clock, 1.0, "ok"))), clock=clock)
    running.run()
    again = running.job()
    clock.advance(2.5)
    running.call.run(again)
    attempt, whole = seen.spans[2:]
    assert (seconds(whole), seconds(attempt)) == ((1.0, 4.5), (3.5, 4.5))
    assert of(attempt)["flyllm.attempt.waited"] == 2.5


def test_a_request_that_fails_says_so(seen: Telescope) -> None:
    """In its class of error: the provider's words may quote the prompt."""
    refusing = FakeProvider(InvalidRequestError(f"bad text: {SECRET}", status_code=400))
    made(seen, instance(0, refusing)).run(SECRET)
    attempt, whole = seen.spans
    assert (attempt.status.description, whole.status.description) == (
        "InvalidRequestError (HTTP 400)",
        "InvalidRequestError",
    )
    assert of(whole)["error.type"] == of(attempt)["error.type"] == "InvalidRequestError"
    assert attempt.events == whole.events == ()


def test_a_request_that_nobody_can_take_is_a_span_of_its_own(seen: Telescope) -> None:
    """Without an attempt under it, and under the caller's span."""
    running = made(seen, instance(0))
    running.disable(0)
    with seen.tracers.get_tracer("application").start_as_current_span("job") as job:
        assert isinstance(running.run().error, NoInstanceError)
    whole, _ = seen.spans
    assert parent(whole) == job.get_span_context().span_id
    assert (of(whole)["error.type"], of(whole)["flyllm.attempts"]) == ("NoInstanceError", 0)
    assert seen.points("gen_ai.client.operation.duration") == []


def test_a_stream_says_when_its_first_content_came(seen: Telescope) -> None:
    """On its span and as a metric."""
    clock = ManualClock()
    step = Delta(content="Hello")

    def first() -> Delta:
        clock.advance(0.25)
        return step

    deltas = [first, Delta(finish_reason="stop", usage=TokenUsage(3, 2, 5))]
    list(made(seen, instance(0, FakeProvider(deltas)), clock=clock).stream())
    attempt, _ = seen.spans
    assert (of(attempt)["gen_ai.request.stream"], of(attempt)["gen_ai.response.time_to_first_chunk"]) == (True, 0.25)
    (point,) = seen.points("gen_ai.client.operation.time_to_first_chunk")
    assert (point.count, point.sum) == (1, 0.25)


def test_a_stream_that_broke_off_keeps_its_tokens_as_estimated(seen: Telescope) -> None:
    """They are on the span, marked, and not among the metrics, which hold no guesses."""
    running = made(seen, instance(0, FakeProvider([Delta(content="Hello"), ServerError("no", status_code=502)])))
    with pytest.raises(StreamInterruptedError):
        list(running.stream())
    attempt, whole = seen.spans
    assert of(attempt)["error.type"] == "ServerError"
    assert of(attempt)["gen_ai.usage.output_tokens"] == 2
    assert "gen_ai.usage.output_tokens" in of(attempt)["flyllm.usage.estimated"]
    assert of(whole)["error.type"] == "StreamInterruptedError"
    assert seen.points("gen_ai.client.token.usage") == []


def test_a_stream_that_is_closed_early_is_no_error(seen: Telescope) -> None:
    """It ended as its caller wanted."""
    with made(seen, instance(0)).stream() as stream:
        next(stream)
    attempt, whole = seen.spans
    assert of(attempt)["flyllm.attempt.outcome"] == "abandoned"
    assert {attempt.status.status_code, whole.status.status_code} == {StatusCode.UNSET}
    assert "error.type" not in of(attempt)


def test_metrics_have_the_conventions_names_units_and_buckets(seen: Telescope) -> None:
    """One histogram of durations and one of tokens, by provider, model and instance."""
    clock = ManualClock()
    failing = FakeProvider(slow(clock, 0.5, RateLimitError("no", status_code=429)))
    answering = FakeProvider(slow(clock, 1.5, "ok"))
    made(seen, instance(0, failing), instance(1, answering), clock=clock).run()
    place = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
    failed, done = seen.points("gen_ai.client.operation.duration")
    assert (failed.count, failed.sum, failed.attributes) == (
        1,
        0.5,
        {
            **place,
            "gen_ai.request.model": "m0",
            "flyllm.instance.name": "i0",
            "flyllm.attempt.outcome": "error",
            "error.type": "RateLimitError",
        },
    )
    assert (done.sum, done.explicit_bounds[:3]) == (1.5, (0.01, 0.02, 0.04))
    tokens = {point.attributes["gen_ai.token.type"]: point for point in seen.points("gen_ai.client.token.usage")}
    assert {kind: point.sum for kind, point in tokens.items()} == {"input": 3, "output": 2}
    assert tokens["input"].explicit_bounds[-1] == 67_108_864


@pytest.mark.parametrize("way", ["generate", "stream"])
def test_no_prompt_and_no_answer_is_recorded(seen: Telescope, way: str) -> None:
    """Not in attributes, not in names, not in errors that quote them."""
    quoting = FakeProvider(InvalidRequestError(f"bad: {SECRET}"), ServerError(f"bad: {SECRET}"), otherwise=ANSWER)
    running = made(seen, instance(0, quoting))
    request = GenerationRequest(
        SECRET, system=SECRET, messages=[{"role": "user", "content": SECRET}], metadata={"who": SECRET}
    )
    for _ in range(3):
        with contextlib.suppress(InvalidRequestError):
            running.run(request) if way == "generate" else list(running.stream(request))
    assert len(seen.spans) >= 6
    told = " ".join(span.to_json() for span in seen.spans)
    assert SECRET not in told
    assert ANSWER not in told


def test_prompts_and_answers_are_recorded_where_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the conventions' shape, as JSON text."""
    monkeypatch.setenv(VARIABLE, "true")
    seen = Telescope()
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {}}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    ]
    made(seen, instance(0, FakeProvider(ANSWER))).run(GenerationRequest(SECRET, messages=messages, system="Be brief"))
    attempt, _ = seen.spans
    assert json.loads(of(attempt)["gen_ai.system_instructions"]) == [{"type": "text", "content": "Be brief"}]
    assert json.loads(of(attempt)["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Look:"}, {"type": "image_url"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": "{}"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rain"}]},
        {"role": "user", "parts": [{"type": "text", "content": SECRET}]},
    ]
    assert json.loads(of(attempt)["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}
    ]


def test_where_prompts_are_recorded_errors_are_told_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing left to hide."""
    monkeypatch.setenv(VARIABLE, "TRUE")
    seen = Telescope()
    made(seen, instance(0, FakeProvider(InvalidRequestError("bad temperature")))).run()
    assert [span.status.description for span in seen.spans] == ["InvalidRequestError: bad temperature"] * 2


@pytest.mark.parametrize("value", ["", "false", "NO_CONTENT", "event_only"])
def test_any_other_word_records_nothing(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a clear yes is one."""
    monkeypatch.setenv(VARIABLE, value)
    seen = Telescope()
    made(seen, instance(0)).run(SECRET)
    assert not any(SECRET in span.to_json() for span in seen.spans)


@pytest.mark.parametrize("value", ["much", None, True, [1], float("nan"), object()])
def test_parameters_of_other_kinds_are_left_out(seen: Telescope, value: Any, caplog: pytest.LogCaptureFixture) -> None:
    """OpenTelemetry would log a warning for each."""
    params = {"temperature": value, "stop": [value], "n": "two"}
    with caplog.at_level(logging.WARNING):
        made(seen, instance(0)).run(GenerationRequest("Hi", params=params))
    assert caplog.records == []
    assert len(seen.spans) == 2


def test_a_trace_that_is_not_sampled_costs_no_attempts() -> None:
    """Metrics are kept all the same."""
    seen = Telescope(sampler=ALWAYS_OFF)
    made(seen, instance(0)).run()
    assert seen.spans == []
    assert len(seen.points("gen_ai.client.operation.duration")) == 1


def started(number: str) -> AttemptStart:
    return AttemptStart(number, 1, 0, "i0", "openai", "m0", 0.0, "lru", None, GenerationRequest("Hi"))


def test_requests_without_an_end_are_forgotten(seen: Telescope, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends one without an event. What waits for such ones stays small, and the latest are kept."""
    monkeypatch.setattr(observer, "MOST_PENDING", 5)
    for number in range(20):
        seen.observer.on_start(started(str(number)))
    assert list(seen.observer._pending) == ["15", "16", "17", "18", "19"]


def test_attempts_of_two_requests_are_kept_apart(seen: Telescope) -> None:
    """They end in any order."""
    for number in ("a", "b"):
        seen.observer.on_start(started(number))
    for number in ("b", "a"):
        attempt = Attempt(1, 0, "i0", "openai", f"m-{number}", 5.0, 0.0, 1.0, "success")
        params = {"seed": ord(number)}
        seen.observer.on_attempt(AttemptEvent(attempt, GenerationRequest("Hi"), params, None, "", number))
        seen.observer.on_request(RequestEvent(GenerationRequest("Hi"), LLMResponse(attempts=(attempt,)), id=number))
    found = [(span.name, of(span).get("gen_ai.request.seed"), of(span).get("flyllm.request.id")) for span in seen.spans]
    assert found == [
        ("chat m-b", 98, None),
        ("flyllm.generate", None, "b"),
        ("chat m-a", 97, None),
        ("flyllm.generate", None, "a"),
    ]
    assert not seen.observer._pending


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_begins_anew(seen: Telescope) -> None:
    """A lock that a thread of the parent's held is not held there."""
    seen.observer.on_start(started("parent's"))
    with seen.observer._lock:
        child = os.fork()
        if child == 0:
            free = seen.observer._lock.acquire(blocking=False) and not seen.observer._pending
            os._exit(0 if free else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_without_an_sdk_nothing_happens() -> None:
    """The API alone is enough to run, as OpenTelemetry wants it of libraries."""
    running = core(instance(0), observers=[OpenTelemetryObserver(trace.NoOpTracerProvider())])
    assert running.run().success


def test_without_the_api_it_says_what_to_install() -> None:
    """In the words of all optional parts."""
    code = "import sys; sys.modules['opentelemetry'] = None; import flyllm.observability.opentelemetry"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert 'MissingDependencyError: Tracing needs the OpenTelemetry API: pip install "flyllm[opentelemetry]"' in (
        done.stderr
    )
