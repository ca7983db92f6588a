"""OpenTelemetry over real SDKs and sockets: whole traces, nothing of the SDKs' own, and no keys."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from flyllm import GenerationRequest
from flyllm.observability.opentelemetry import OpenTelemetryObserver
from flyllm.testing import Fault, cut
from tests.contract.fault_matrix.invariants import CANARY
from tests.contract.fault_matrix.world import FLEET, WAYS, World
from tests.public.processes import run

PROVIDERS = (
    "openai",
    "anthropic",
    "google",
    "mistral",
    "cohere",
    "groq",
    "togetherai",
    "perplexity",
    "ollama",
    "lmstudio",
)

SDKS = (("openai", "groq"), ("anthropic",), ("google",), ("mistral", "cohere", "ollama"))
"""Of each provider's SDK one; those that take long to import apart."""


class Traces:
    """An observer for worlds, and the spans that came of what was sent there."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.observer = OpenTelemetryObserver(self.tracers)

    def of(self, world: World) -> list[tuple[ReadableSpan, list[ReadableSpan]]]:
        """Return the spans of requests, each with those of its attempts, once all is written."""
        world.manager.close()
        spans = [span for span in self._exporter.get_finished_spans() if span.instrumentation_scope.name == "flyllm"]  # type: ignore[union-attr]
        return [
            (whole, [span for span in spans if span.parent is not None and span.parent.span_id == own(whole)])
            for whole in spans
            if whole.name.startswith("flyllm.")
        ]


def own(span: ReadableSpan) -> int:
    assert span.context is not None
    number: int = span.context.span_id
    return number


def attribute(span: ReadableSpan, name: str) -> Any:
    return (span.attributes or {}).get(name)


def took(span: ReadableSpan) -> tuple[int, int]:
    assert span.start_time is not None
    assert span.end_time is not None
    return span.start_time, span.end_time


@pytest.fixture
def traces() -> Traces:
    return Traces()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_tells_what_the_conventions_ask_for(provider: str, traces: Traces) -> None:
    """Tokens, the reason why it ended, and the answer's id and model as far as the provider says."""
    with World(provider, observers=[traces.observer]) as world:
        world.send("generate")
        world.send("stream")
        (called, (call,)), (streamed, (stream,)) = traces.of(world)
    for span in (call, stream):
        assert span.name == "chat model-1"
        assert attribute(span, "gen_ai.usage.input_tokens") > 0
        assert attribute(span, "gen_ai.usage.output_tokens") > 0
        assert attribute(span, "gen_ai.response.finish_reasons") == ("stop",)
    assert attribute(stream, "gen_ai.response.time_to_first_chunk") > 0
    assert bool(attribute(call, "gen_ai.response.id")) == (provider != "ollama")
    for whole, span in ((called, call), (streamed, stream)):
        assert took(whole)[0] <= took(span)[0] < took(span)[1] <= took(whole)[1]


def test_a_failover_is_two_attempts_in_one_trace(traces: Traces, way: str) -> None:
    """The failed one is red, and the request is not."""
    with World(2, only={1: {"priority": 1}}, observers=[traces.observer], speed=1.0) as world:
        world.servers[0].fail(503)
        world.send(way)
        ((whole, (first, second)),) = traces.of(world)
    assert (first.status.status_code, second.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert whole.status.status_code is StatusCode.UNSET
    assert attribute(second, "flyllm.attempt.reason") == "failover"
    assert [link.context.span_id for link in second.links] == [own(first)]
    assert took(first)[1] <= took(second)[0]


def test_a_hedge_is_two_attempts_at_the_same_time(traces: Traces, way: str) -> None:
    """Both in one trace; the slow one was outrun, which is no error."""
    with World(2, only={1: {"priority": 1}}, observers=[traces.observer]) as world:
        world.send("generate", 40, workers=2)
        world.servers[0].enqueue(Fault.SILENCE)
        world.send(way, hedge=True)
        whole, (slow, fast) = traces.of(world)[-1]
    assert (attribute(slow, "flyllm.attempt.outcome"), attribute(fast, "flyllm.attempt.outcome")) == (
        "outrun",
        "success",
    )
    assert attribute(fast, "flyllm.attempt.reason") == "hedge"
    assert took(fast)[0] < took(slow)[1]
    assert {span.status.status_code for span in (whole, slow, fast)} == {StatusCode.UNSET}


def test_a_stream_that_breaks_off_is_red(traces: Traces) -> None:
    """The attempt with what cut it, the request with what its caller got."""
    with World(1, observers=[traces.observer], echoes=False, speed=1.0) as world:
        world.servers[0].enqueue("one two three four five six", fault=cut(after=4, how="reset"))
        world.send("stream")
        ((whole, (attempt,)),) = traces.of(world)
    assert attribute(whole, "error.type") == "StreamInterruptedError"
    assert attribute(attempt, "error.type") == "RequestError"
    assert attribute(attempt, "flyllm.usage.estimated")


def test_a_stream_that_goes_on_elsewhere_is_one_trace(traces: Traces) -> None:
    """Both parts are attempts of one request."""
    with World(2, only={1: {"priority": 1}}, observers=[traces.observer], echoes=False, speed=1.0) as world:
        world.servers[0].enqueue("one two three four five six", fault=cut(after=4, how="reset"))
        world.send("stream", on_interrupt="restart")
        ((whole, (first, second)),) = traces.of(world)
    assert whole.status.status_code is StatusCode.UNSET
    assert (attribute(first, "error.type"), attribute(second, "flyllm.attempt.outcome")) == ("RequestError", "success")


def test_a_request_refused_everywhere_is_a_trace_without_attempts(traces: Traces, way: str) -> None:
    """As when all instances are disabled."""
    with World(1, observers=[traces.observer]) as world:
        world.manager.disable(0)
        world.send(way)
        ((whole, attempts),) = traces.of(world)
    assert attempts == []
    assert attribute(whole, "error.type") == "NoInstanceError"


def test_requests_belong_to_the_trace_they_were_made_in(traces: Traces, way: str) -> None:
    """Those of a batch to that of the batch's caller, whichever thread sent them."""
    with World(1, observers=[traces.observer]) as world:
        with traces.tracers.get_tracer("application").start_as_current_span("job") as job:
            world.send(way, 4)
        requests = traces.of(world)
    assert len(requests) == 4
    assert [whole.parent and whole.parent.span_id for whole, _ in requests] == [job.get_span_context().span_id] * 4


@pytest.mark.parametrize("provider", FLEET)
def test_no_key_is_in_a_span(provider: str, traces: Traces, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the provider says of the key, and even where prompts are recorded and errors told in full."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    telling = OpenTelemetryObserver(traces.tracers)
    with World(provider, observers=[telling], max_retries=0) as world:
        world.servers[0].fail(401, times=2, message=f"Incorrect API key provided: sk-CANARY0-{CANARY}0")
        world.send("generate")
        world.send("stream")
        requests = traces.of(world)
    told = " ".join(span.to_json() for whole, attempts in requests for span in (whole, *attempts))
    assert "Incorrect API key provided" in told
    assert CANARY not in told


SILENT = """
import json, sys
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flyllm import LLMManager, TaskDefinition
from flyllm.observability.opentelemetry import OpenTelemetryObserver
from flyllm.testing import ProviderSimulator

names = json.loads(sys.argv[1])
observer = OpenTelemetryObserver()  # before there are providers, as in an application that sets them up later
exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([reader]))

with ProviderSimulator() as simulator:
    builder = LLMManager.builder(observer)
    for name in names:
        builder.add_instance(name, "model-1", "k-0123456789abcdef").custom_endpoint(simulator.url(name)).supports(name)
        builder.define_task(TaskDefinition(name))
    with builder.build() as manager, trace.get_tracer("application").start_as_current_span("job"):
        for number, name in enumerate(names):
            manager.generate("Hi", task=name)
            list(manager.generate_stream("Hi", task=name))
            manager.list_models(number)
    heard = [header.lower() for name in names for call in simulator[name].requests for header in call.headers]
spans = [span.instrumentation_scope.name for span in exporter.get_finished_spans()]
scopes = [scope.scope.name for each in reader.get_metrics_data().resource_metrics for scope in each.scope_metrics]
json.dump({"spans": spans, "metrics": scopes, "headers": heard}, sys.stdout)
"""


@pytest.mark.parametrize("names", SDKS, ids="-".join)
def test_the_sdks_add_no_spans_and_no_headers_of_their_own(names: tuple[str, ...]) -> None:
    """With OpenTelemetry set up globally, and the SDKs' switches in the environment set to the worst."""
    done = run(
        sys.executable,
        "-c",
        SILENT,
        json.dumps(names),
        ANTHROPIC_OPEN_TELEMETRY="true",
        MISTRAL_SDK_TELEMETRY="global",
        OTEL_PROPAGATORS="tracecontext,baggage",
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert sorted(set(seen["spans"])) == ["application", "flyllm"]
    assert seen["spans"].count("flyllm") == 2 * 2 * len(names)
    assert seen["metrics"] == ["flyllm"]
    assert not {"traceparent", "tracestate", "baggage"} & set(seen["headers"])


def test_prompts_stay_out_of_traces_of_real_failures(traces: Traces) -> None:
    """A provider that quotes the prompt in its refusal does not bring it in."""
    with World("openai", observers=[traces.observer], max_retries=0) as world:
        world.servers[0].fail(400, message="Invalid prompt: 'my secret plans'")
        world.generate(GenerationRequest("my secret plans"))
        requests = traces.of(world)
    assert not any("secret plans" in span.to_json() for whole, attempts in requests for span in (whole, *attempts))
