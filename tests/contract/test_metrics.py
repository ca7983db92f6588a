"""Metrics of real managers over real sockets, scraped as Prometheus does."""

import gzip
import http.client
import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from flyllm import (
    ConfigError,
    GenerationRequest,
    LLMError,
    LLMManager,
    MetricsServer,
    StreamInterruptedError,
    start_metrics_server,
)
from flyllm.testing import Behaviour, ErrorKind, Fault, ProviderSimulator, cut

HANG = 30.0
"""Seconds after which a wait has failed; none needs a tenth of one."""

KEY = "sk-canary-0123456789abcdef0123456789abcdef"
SECRETS = ("canary", "Bearer", "http://", "a private question", "a private answer", "made-up", "whoever")

OTHER_MODEL = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "whoever-2099",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
}


def manager_of(
    simulator: ProviderSimulator, registry: CollectorRegistry | bool, *providers: str, **options: Any
) -> LLMManager:
    builder = LLMManager.builder().metrics(registry)
    for number, provider in enumerate(providers or ("openai",)):
        builder.add_instance(provider, f"model-{number}", KEY, name=f"i{number}", **options)
        builder.custom_endpoint(simulator.url(provider))
    return builder.build()


def scrape(url: str) -> dict[str, float]:
    """Return the sum of every metric over all its labels."""
    sums: dict[str, float] = {}
    with urlopen(f"{url}/metrics", timeout=HANG) as answer:
        for family in text_string_to_metric_families(answer.read().decode()):
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def server(registry: CollectorRegistry) -> Iterator[MetricsServer]:
    with start_metrics_server(0, registry=registry) as server:
        yield server


# ---- what is counted


def test_requests_from_64_threads_are_counted_as_the_providers_saw_them(
    provider_simulator: ProviderSimulator, registry: CollectorRegistry, server: MetricsServer
) -> None:
    """While it is scraped all the time. FLYLLM_COUNTED=10000 sends so many."""
    n = int(os.environ.get("FLYLLM_COUNTED", "640"))
    for name in ("openai", "groq"):
        provider_simulator[name].set(error_rate=0.05, error=ErrorKind.SERVER_ERROR)
    done = threading.Event()
    with (
        manager_of(provider_simulator, registry, "openai", "groq") as manager,
        ThreadPoolExecutor(1) as thread,
    ):
        scrapes = thread.submit(lambda: [scrape(server.url) for _ in iter(lambda: done.wait(0.05), True)])
        responses = manager.batch_generate(["Hi"] * n, max_workers=64)
        done.set()
        assert all(response.success for response in responses)
        seen = [shown.get("llm_requests_total", 0.0) for shown in scrapes.result(HANG)]
        shown = scrape(server.url)
    wires = sum(instance.count for instance in provider_simulator)
    assert seen == sorted(seen)
    assert shown["llm_requests_total"] == shown["llm_request_duration_seconds_count"] == n
    assert shown["llm_attempts_total"] == shown["llm_slot_wait_seconds_count"] == wires > n
    assert shown["llm_errors_total"] == shown["llm_retries_total"] == wires - n
    usages = [attempt.usage for response in responses for attempt in response.attempts]
    assert shown["llm_tokens_prompt_total"] == sum(usage.prompt_tokens or 0 for usage in usages)
    assert shown["llm_tokens_completion_total"] == sum(usage.completion_tokens or 0 for usage in usages)
    assert (shown["llm_in_flight"], shown["llm_queue_length"]) == (0, 0)


def test_streams_tell_their_first_content_and_where_they_broke(
    provider_simulator: ProviderSimulator, registry: CollectorRegistry, server: MetricsServer
) -> None:
    """A break is an attempt that failed, with the tokens that had come."""
    openai = provider_simulator["openai"]
    openai.reply("one two three four five")
    with manager_of(provider_simulator, registry) as manager:
        assert "".join(chunk.content for chunk in manager.generate_stream("Hi")) == "one two three four five"
        openai.enqueue(cut(after=3, how="close"))
        with pytest.raises(StreamInterruptedError):
            list(manager.generate_stream("Hi"))
        with manager.generate_stream("Hi") as stream:
            next(iter(stream))
        shown = scrape(server.url)
    assert shown["llm_time_to_first_token_seconds_count"] == 3
    outcomes = {
        outcome: registry.get_sample_value(
            "llm_attempts_total", {"instance": "i0", "provider": "openai", "model": "model-0", "outcome": outcome}
        )
        for outcome in ("success", "error", "abandoned")
    }
    assert outcomes == {"success": 1, "error": 1, "abandoned": 1}
    assert shown["llm_errors_total"] == 1


def test_nothing_that_is_said_or_secret_is_shown(
    provider_simulator: ProviderSimulator, registry: CollectorRegistry, server: MetricsServer
) -> None:
    """Neither keys, headers and addresses, nor prompts, answers, errors, made-up tasks and the models of answers."""
    openai = provider_simulator["openai"]
    openai.reply("a private answer")
    openai.enqueue(Behaviour(status=200, body=json.dumps(OTHER_MODEL).encode()))
    openai.fail(ErrorKind.INVALID_REQUEST, message=f"a private answer to {KEY}", times=1)
    openai.enqueue(Fault.HTML)
    with manager_of(provider_simulator, registry, headers={"X-Token": KEY}) as manager:
        request = GenerationRequest("a private question", metadata={"who": KEY})
        assert manager.generate(request).model == "whoever-2099"
        manager.generate_sequentially([request] * 3)
        manager.generate_sequentially([GenerationRequest("a private question", task="made-up")])
    with urlopen(f"{server.url}/metrics", timeout=HANG) as answer:
        text = answer.read().decode()
    assert "llm_requests_total" in text
    assert [secret for secret in SECRETS if secret in text] == []


def test_the_gauges_follow_a_manager_from_its_first_call_to_its_end(
    provider_simulator: ProviderSimulator, registry: CollectorRegistry, server: MetricsServer
) -> None:
    """In whatever way the registry is read."""
    openai, go_on = provider_simulator["openai"], threading.Event()
    openai.reply(lambda call: "ok" if go_on.wait(HANG) else "late")
    with manager_of(provider_simulator, registry, max_concurrency=2) as manager:
        assert scrape(server.url)["llm_concurrency_ceiling"] == 2
        with ThreadPoolExecutor(3) as threads:
            answers = [threads.submit(manager.generate, "Hi") for _ in range(3)]
            pause = threading.Event()
            while (shown := scrape(server.url))["llm_in_flight"] < 2 or shown["llm_queue_length"] < 1:
                pause.wait(0.01)
            assert b'llm_in_flight{instance="i0",model="model-0",provider="openai"} 2.0' in generate_latest(registry)
            go_on.set()
            assert {answer.result(HANG).content for answer in answers} == {"ok"}
        assert scrape(server.url)["llm_in_flight"] == 0
        manager.disable("i0")
        assert scrape(server.url)["llm_provider_healthy"] == 0
    closed = scrape(server.url)
    assert "llm_in_flight" not in closed
    assert closed["llm_requests_total"] == 3


def test_two_managers_on_one_registry_are_shown_together(
    provider_simulator: ProviderSimulator, registry: CollectorRegistry, server: MetricsServer
) -> None:
    """And one on another is not."""
    with (
        manager_of(provider_simulator, registry) as first,
        manager_of(provider_simulator, registry) as second,
        manager_of(provider_simulator, CollectorRegistry()) as other,
    ):
        for manager in (first, second, other):
            manager.generate("Hi")
        shown = scrape(server.url)
    assert shown["llm_requests_total"] == 2
    assert shown["llm_concurrency_ceiling"] == 128


def test_without_a_registry_it_is_prometheus_clients_own(provider_simulator: ProviderSimulator) -> None:
    """`metrics=True` and a server without one meet there."""
    with manager_of(provider_simulator, True) as manager, start_metrics_server(0) as server:
        before = scrape(server.url).get("llm_requests_total", 0.0)
        manager.generate("Hi")
        assert scrape(server.url)["llm_requests_total"] == before + 1
        assert b"llm_in_flight" in generate_latest(REGISTRY)


def test_a_request_that_no_instance_can_take_is_counted(
    provider_simulator: ProviderSimulator, registry: CollectorRegistry, server: MetricsServer
) -> None:
    """With its error, and without a place."""
    with manager_of(provider_simulator, registry) as manager:
        manager.disable("i0")
        with pytest.raises(LLMError):
            manager.generate("Hi")
        labels = {"instance": "", "provider": "", "model": "", "error_type": "provider_disabled"}
        assert registry.get_sample_value("llm_errors_total", labels) == 1


# ---- the server


def test_the_server_has_its_pages_and_no_others(server: MetricsServer) -> None:
    """Metrics, dashboard and health; to be read only."""
    with urlopen(f"{server.url}/health", timeout=HANG) as answer:
        assert answer.read() == b"OK"
    with urlopen(f"{server.url}/dashboard", timeout=HANG) as answer:
        assert json.load(answer)["title"] == "FlyLLM Dashboard"
    for path, method, status in (("/", "GET", 404), ("/metrics", "POST", 405)):
        with pytest.raises(HTTPError) as raised:
            urlopen(Request(server.url + path, method=method), timeout=HANG)
        assert raised.value.code == status
        raised.value.close()


def test_head_and_gzip_work_over_the_wire(server: MetricsServer) -> None:
    """A HEAD leaves no body behind."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=HANG)
    connection.request("HEAD", "/metrics")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    connection.close()
    with urlopen(Request(f"{server.url}/metrics", headers={"Accept-Encoding": "gzip"}), timeout=HANG) as zipped:
        assert zipped.headers["Content-Encoding"] == "gzip"
        gzip.decompress(zipped.read())


def test_a_client_that_says_nothing_keeps_nobody_waiting(server: MetricsServer) -> None:
    """Each has a thread."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=HANG):
        scrape(server.url)


def test_a_client_that_goes_away_in_the_midst_leaves_no_trace(
    server: MetricsServer, capfd: pytest.CaptureFixture[str]
) -> None:
    """A stack trace on stderr would be taken for a fault of the program."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=HANG) as client:
        client.sendall(b"GET /metr")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    scrape(server.url)
    server.close()
    assert capfd.readouterr().err == ""


def test_a_port_in_use_is_an_error_that_says_so(server: MetricsServer) -> None:
    """And what to do."""
    with pytest.raises(ConfigError, match=f"no metrics at 127.0.0.1, port {server.port}: the port is in use"):
        start_metrics_server(server.port)


@pytest.mark.parametrize(("port", "host"), [(70000, "127.0.0.1"), (0, "no.such.host.invalid"), (0, "192.0.2.1")])
def test_other_places_that_cannot_be_had_are_errors_that_name_them(port: int, host: str) -> None:
    """Whatever the reason."""
    with pytest.raises(ConfigError, match=f"no metrics at {host}, port {port}: "):
        start_metrics_server(port, host)


def test_a_closed_server_leaves_its_port_and_no_thread() -> None:
    """Closing twice is closing once."""
    server = start_metrics_server(0)
    scrape(server.url)
    server.close()
    server.close()
    assert not any(thread.name == "flyllm-metrics-server" for thread in threading.enumerate())
    with start_metrics_server(server.port) as again:
        assert again.port == server.port


def test_it_can_be_reached_by_ipv6() -> None:
    """Where the machine has it."""
    try:
        server = start_metrics_server(0, "::1")
    except ConfigError:
        pytest.skip("there is no IPv6 here")
    with server:
        assert server.url == f"http://[::1]:{server.port}"
        scrape(server.url)
