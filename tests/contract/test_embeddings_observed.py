"""What observers are told of embeddings: traces, debug files, metrics and logs, over real SDKs and sockets."""

import json
import logging
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

from flyllm import EmbeddingRequest, LLMManager, ManagerBuilder, Observer, RequestEvent
from flyllm.observability.opentelemetry import OpenTelemetryObserver
from flyllm.testing import ProviderSimulator

MODEL = "gemini-embedding-001"
TEXTS = [f"a private text {n}" for n in range(150)]


class Requests(Observer):
    def __init__(self) -> None:
        self.events: list[RequestEvent] = []

    def on_request(self, event: RequestEvent) -> None:
        self.events.append(event)


def manager_of(builder: "ManagerBuilder[LLMManager]", *urls: str) -> LLMManager:
    """Return a manager with an instance of one model at each of `urls`: two calls are one at each."""
    for url in urls:
        builder = builder.add_instance("google", MODEL, "key-123456", endpoint=url)
    return builder.build()


def test_a_trace_names_embeddings_and_holds_no_text() -> None:
    spans, numbers = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    builder = LLMManager.builder(OpenTelemetryObserver(tracers, MeterProvider([numbers])))
    with ProviderSimulator() as sim, manager_of(builder, sim.url("google"), sim.add("google").url) as manager:
        manager.embed(TEXTS, temperature=0.1)
    found = [span for span in spans.get_finished_spans() if "flyllm" in str(span.instrumentation_scope)]
    (whole,) = [span for span in found if span.name == "flyllm.embed"]
    assert sorted(span.name for span in found) == [f"embeddings {MODEL}"] * 2 + ["flyllm.embed"]
    assert (whole.attributes or {}).get("flyllm.failovers") == 0
    assert {(span.attributes or {}).get("gen_ai.operation.name") for span in found} == {"embeddings", None}
    assert "private" not in "".join(span.to_json() for span in found)
    metrics = numbers.get_metrics_data()
    assert metrics is not None
    assert '"gen_ai.operation.name": "embeddings"' in json.dumps(json.loads(metrics.to_json()))


def test_a_debug_file_has_the_calls_and_not_the_texts(tmp_path: Path) -> None:
    """A call's entry tells how many texts there were in all: all of them in each entry would be too much."""
    with (
        ProviderSimulator() as sim,
        manager_of(LLMManager.builder().debug_folder(tmp_path), sim.url("google")) as manager,
    ):
        manager.embed(TEXTS)
    (file,) = tmp_path.rglob("*.json")
    entries = json.loads(file.read_text())
    assert [entry["input"]["texts"] for entry in entries] == [150, 150]
    assert "private" not in file.read_text()


def test_an_observer_of_one_s_own_gets_the_texts() -> None:
    seen = Requests()
    with ProviderSimulator() as sim, manager_of(LLMManager.builder(seen), sim.url("google")) as manager:
        response = manager.embed(TEXTS, metadata={"for": "me"})
    (event,) = seen.events
    assert isinstance(event.request, EmbeddingRequest)
    assert (event.request.texts, event.request.metadata) == (tuple(TEXTS), {"for": "me"})
    assert (event.response.content, event.response.raw, event.id) == ("", None, response.id)
    assert len(event.response.attempts) == 2


def test_the_calls_of_a_request_are_no_retries(caplog: pytest.LogCaptureFixture) -> None:
    """Nor failovers, though they go to two instances."""
    caplog.set_level(logging.INFO, "flyllm")
    registry = CollectorRegistry()
    with ProviderSimulator() as sim:
        urls = sim.url("google"), sim.add("google").url
        with manager_of(LLMManager.builder().metrics(registry), *urls) as manager:
            manager.embed(TEXTS)
            page = generate_latest(registry).decode()
    assert total(page, "llm_attempts_total") == 2
    assert total(page, "llm_requests_total") == 1
    assert total(page, "llm_retries_total") == total(page, "llm_failovers_total") == 0
    assert caplog.records == []


def total(page: str, name: str) -> float:
    return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(f"{name}{{"))
