"""An attempt ends when its time is over, whatever trickles in: every adapter, over real SDKs and sockets.

Timeouts of HTTP libraries are per socket operation; each of these answers would keep them waiting for ever.
"""

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from flyllm import (
    DeadlineExceededError,
    GenerationRequest,
    LLMManager,
    RequestError,
    ResponseStream,
    StreamInterruptedError,
)
from flyllm.providers.registry import REGISTRY
from flyllm.testing import Behaviour, Fault, ProviderSimulator, SimulatedProvider, stall

ROWS = [(spec.name, api.name) for spec in REGISTRY.values() for api in spec.apis]
NEVER = [Fault.SILENCE, Fault.BLACKHOLE, Fault.SLOW_HEADERS, Fault.SLOW_BODY]
TIMEOUT = 0.4
AMID = 5
"""Frames after which a stream of six words is amid them, whichever API it is of."""
HANG = 20.0
"""Seconds that would show an attempt that was not ended; at this pace the answers take minutes."""


@pytest.fixture(scope="module")
def simulator() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as simulator:
        yield simulator


@pytest.fixture(params=ROWS, ids=lambda row: f"{row[0]}-{row[1]}")
def row(request: pytest.FixtureRequest, simulator: ProviderSimulator) -> Iterator[tuple[LLMManager, SimulatedProvider]]:
    """A manager with one instance of this row, without retries, and its server."""
    provider, api = request.param
    server = simulator.add(provider, name=f"{request.node.name}")
    builder = LLMManager.builder().add_instance(provider, "model-1", "k-0123456789abcdef", api=api)
    with builder.custom_endpoint(server.url).max_retries(0).default_attempt_timeout(TIMEOUT).build() as manager:
        manager.warm()
        yield manager, server


@pytest.mark.parametrize("fault", NEVER, ids=lambda fault: fault.name.lower())
def test_a_call_ends_with_its_attempt(row: tuple[LLMManager, SimulatedProvider], fault: Fault) -> None:
    """As one timeout; the next call works, on a connection of its own."""
    manager, server = row
    server.enqueue(Behaviour(fault=fault, pace=0.2))
    began = time.monotonic()
    with pytest.raises(RequestError, match=r"^no answer within the attempt's 0\.4 s") as caught:
        manager.generate("Hi")
    assert TIMEOUT <= time.monotonic() - began < HANG
    assert caught.value.sent
    assert [attempt.outcome for attempt in caught.value.attempts] == ["RequestError"]
    # The next one, unless it takes a busy machine longer than the timeout.
    assert any(manager.generate_sequentially(["Hi"])[0].success for _ in range(10))


@pytest.mark.parametrize("fault", [Fault.SILENCE, Fault.SLOW_HEADERS], ids=lambda fault: fault.name.lower())
def test_a_streams_headers_come_within_the_attempt(row: tuple[LLMManager, SimulatedProvider], fault: Fault) -> None:
    """Until there, a stream is like a call."""
    manager, server = row
    server.enqueue(Behaviour(fault=fault, pace=0.2))
    began = time.monotonic()
    with pytest.raises(RequestError, match=r"^no answer within the attempt's 0\.4 s"):
        manager.generate_stream("Hi")
    assert time.monotonic() - began < HANG


def test_a_streams_first_content_comes_within_the_attempt(row: tuple[LLMManager, SimulatedProvider]) -> None:
    """Headers and a trickle are no answer yet."""
    manager, server = row
    server.enqueue(Behaviour(fault=Fault.SLOW_BODY, pace=0.1))
    began = time.monotonic()
    with pytest.raises(RequestError, match=r"^no answer within the attempt's 0\.4 s"):
        manager.generate_stream("Hi")
    assert TIMEOUT <= time.monotonic() - began < HANG


def test_a_stream_that_stalls_ends_at_its_idle_limit(row: tuple[LLMManager, SimulatedProvider]) -> None:
    """Comments that keep the connection alive do not keep the answer alive."""
    manager, server = row
    server.enqueue(Behaviour("one two three four five six", fault=stall(AMID, ping=0.1)))
    began = time.monotonic()
    with pytest.raises(StreamInterruptedError, match=r"brought nothing for 0\.4 s") as caught:
        list(manager.generate_stream(GenerationRequest("Hi", idle_timeout=TIMEOUT)))
    assert TIMEOUT <= time.monotonic() - began < HANG
    assert caught.value.partial


def test_a_stream_that_stalls_ends_with_the_request(simulator: ProviderSimulator) -> None:
    """The deadline may come before the idle limit; the error says which it was."""
    server = simulator.add("openai", name="deadline")
    server.enqueue(Behaviour("one two three four five six", fault=stall(AMID, ping=0.1)))
    with LLMManager.builder().add_instance("openai", "m", "k", endpoint=server.url).build() as manager:
        began = time.monotonic()
        with pytest.raises(StreamInterruptedError, match="deadline passed while") as caught:
            list(manager.generate_stream(GenerationRequest("Hi", timeout=1.0)))
    assert 1.0 <= time.monotonic() - began < HANG
    assert isinstance(caught.value.cause, DeadlineExceededError)


def test_a_long_stream_outlasts_the_attempts_timeout(row: tuple[LLMManager, SimulatedProvider]) -> None:
    """Each of its pieces comes in time."""
    manager, server = row
    server.set(reply="one two three four five six seven eight", pace=0.07)
    with _opened(manager) as stream:
        began = time.monotonic()
        assert "".join(chunk.content for chunk in stream).split()[-1] == "eight"
    assert time.monotonic() - began > TIMEOUT


def _opened(manager: LLMManager) -> ResponseStream:
    """Return a stream whose beginning came in time: a busy machine may need several."""
    for _ in range(9):
        with suppress(RequestError):
            return manager.generate_stream("Hi")
    return manager.generate_stream("Hi")
