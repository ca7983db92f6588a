"""What streams do with connections and threads: shared where that is possible, handed over, and never mixed up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from flyllm import LLMManager, ResponseStream, StreamInterruptedError
from flyllm.providers.registry import REGISTRY
from flyllm.testing import ProviderSimulator, SimulatedProvider, stall
from tests.contract.fault_matrix.invariants import eventually
from tests.contract.streams.samples import ROWS

TEXT = "One two three four five six."


@contextmanager
def served(provider: str, api: str, **behaviour: Any) -> Iterator[tuple[LLMManager, SimulatedProvider]]:
    """A manager over one simulated provider."""
    with ProviderSimulator() as simulator:
        server = simulator.add(provider, reply=TEXT, **behaviour)
        builder = LLMManager.builder().add_instance(provider, "m", "k", api=api, endpoint=server.url)
        with builder.max_retries(0).build() as manager:
            yield manager, server


def read(stream: ResponseStream) -> str:
    """Read the rest of a stream."""
    with stream:
        return "".join(chunk.content for chunk in stream)


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_streams_read_whole_share_one_connection(row: tuple[str, str]) -> None:
    """Each gives its connection back with its end, not with some later collection."""
    with served(*row) as (manager, server):
        kept = []  # neither closed nor dropped
        for _ in range(5):
            kept.append(manager.generate_stream("Hi"))
            assert "".join(chunk.content for chunk in kept[-1]) == TEXT
        assert (server.count, server.connections) == (5, 1)


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_threads_share_connections(row: tuple[str, str]) -> None:
    """Streams of three threads, one after the other, take one connection."""
    with served(*row) as (manager, server):
        for _ in range(3):
            with ThreadPoolExecutor(1) as thread:
                assert thread.submit(lambda: read(manager.generate_stream("Hi"))).result() == TEXT
        assert (server.count, server.connections) == (3, 1)


@pytest.mark.parametrize("provider", ["openai", "ollama"])
def test_a_stream_may_be_read_in_another_thread_than_its_openers(provider: str) -> None:
    """Opened here, begun there, finished somewhere else."""
    with served(provider, REGISTRY[provider].apis[0].name) as (manager, server):
        stream = manager.generate_stream("Hi")
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
            begun = one.submit(lambda: next(stream).content).result()
            assert begun + other.submit(read, stream).result() == TEXT
        assert stream.response is not None
        assert stream.response.content == TEXT
        assert (server.connections, manager.instances[0].in_flight) == (1, 0)


@pytest.mark.parametrize("provider", ["openai", "ollama"])
def test_two_threads_at_once_are_told_so(provider: str) -> None:
    """The second reader gets a clear error at once, and may close the stream, which ends the first one's wait."""
    with served(provider, REGISTRY[provider].apis[0].name, fault=stall(4)) as (manager, server):
        stream = manager.generate_stream("Hi")
        text: list[str] = []
        with ThreadPoolExecutor(1) as thread:
            reading = thread.submit(lambda: text.extend(chunk.content for chunk in stream))
            eventually(lambda: len(text) >= 3 and stream._chunks.gi_running, "nobody reads")
            with pytest.raises(RuntimeError, match="two threads"):
                next(stream)
            stream.close()
            with pytest.raises(StreamInterruptedError) as caught:
                reading.result(10)
        assert caught.value.partial == "".join(text)
        assert server.wait_for(lambda s: s.in_flight == 0, timeout=20)
        assert manager.instances[0].in_flight == 0
