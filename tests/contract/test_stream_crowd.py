"""Two hundred streams at once, left in every way there is, leave nothing behind."""

import gc
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from flyllm import LLMManager, ResponseStream, StreamInterruptedError
from flyllm.testing import ProviderSimulator, cut, stall
from tests.contract.fault_matrix.invariants import connections_to, eventually, started_since, threads_now

TEXT = "One two three four five six."

Leave = Callable[[ResponseStream], None]


def _read_whole(stream: ResponseStream) -> None:
    with stream:
        assert TEXT.endswith("".join(chunk.content for chunk in stream))
    assert stream.response is not None
    assert stream.response.content == TEXT


def _close_early(stream: ResponseStream) -> None:
    stream.close()


def _drop(stream: ResponseStream) -> None:
    """Do nothing: the caller forgets it."""


def _raise(stream: ResponseStream) -> None:
    with suppress(KeyError), stream:
        raise KeyError("the consumer has a bug")


def _abandon_elsewhere(stream: ResponseStream) -> None:
    held = [stream]
    del stream

    def abandon() -> None:
        next(held[0])
        held.clear()

    thread = threading.Thread(target=abandon)
    thread.start()
    thread.join()


LEAVES: tuple[Leave, ...] = (_read_whole, _close_early, _drop, _raise, _abandon_elsewhere)
MANY = 200
FLEET = ("openai", "anthropic", "google", "cohere", "ollama", "mistral")
CUT = ("groq", "perplexity")


def files() -> int:
    """Return how many files this process has open."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


class Crowd:
    """`MANY` consumers that each open a stream, wait for all others to have theirs, and leave it in some way."""

    def __init__(self, manager: LLMManager) -> None:
        self._manager = manager
        self._all_open = threading.Barrier(MANY)
        self.interrupted: list[StreamInterruptedError] = []

    def consume(self, number: int) -> None:
        """Be one of them."""
        held = [self._manager.generate_stream(f"Hi {number}")]
        next(held[0])
        self._all_open.wait(30)
        try:
            LEAVES[number % len(LEAVES)](held.pop())
        except StreamInterruptedError as error:
            self.interrupted.append(error)


def test_many_streams_at_once_leave_nothing_behind() -> None:
    """Read whole, closed, dropped, left by an exception or in another thread, or cut by the server: all is given back.

    Places and registered work as they end; connections, threads and files at the latest when the manager closes.
    """
    threads, open_files = threads_now(), files()
    with ProviderSimulator() as simulator:
        builder = LLMManager.builder().strategy("round_robin").max_retries(0)
        for provider in (*FLEET, *CUT):
            fault = stall(-3, seconds=0.5) if provider in FLEET else cut(-3, how="close")
            server = simulator.add(provider, reply=TEXT, fault=fault)
            builder.add_instance(provider, "m", "k", endpoint=server.url)
        servers = [simulator[name] for name in (*FLEET, *CUT)]
        with builder.build() as manager:
            manager.warm()
            crowd = Crowd(manager)
            with ThreadPoolExecutor(MANY, thread_name_prefix="fault-matrix") as pool:
                list(pool.map(crowd.consume, range(MANY)))
            assert sum(server.count for server in servers) == MANY
            assert crowd.interrupted
            assert all(error.partial and TEXT.startswith(error.partial) for error in crowd.interrupted)
            gc.collect()
            eventually(lambda: not any(each.in_flight for each in manager.instances), "places are taken")
            eventually(lambda: not manager._runtime.scope._work, "work is registered")
            eventually(lambda: not any(server.in_flight for server in servers), "providers still answer")
        eventually(lambda: not connections_to([server.port for server in servers]), "connections are open")
        eventually(lambda: not started_since(threads), f"threads are left: {started_since(threads)}")
    eventually(lambda: files() <= open_files, "files are open")
