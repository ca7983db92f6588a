"""Closing a manager over real sockets: from anywhere, at any moment, and nothing is left."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyllm import LLMManager, LLMResponse, ManagerClosedError, StreamInterruptedError
from flyllm._execution.closing import GRACE
from flyllm.observability.events import AttemptEvent, RequestEvent
from flyllm.testing import Behaviour, Fault, ProviderSimulator, SimulatedProvider, stall
from tests.concurrency.threads import HANG, until

SOON = 20.0
"""Seconds that would show a wait that was not ended: whatever hangs here does so for minutes."""

LONG = 100.0
"""Seconds of a grace that nobody is to wait for."""


@pytest.fixture(scope="module")
def simulator() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as simulator:
        yield simulator


@pytest.fixture
def server(simulator: ProviderSimulator) -> Iterator[SimulatedProvider]:
    yield simulator["openai"]
    simulator.reset()


def manager(server: SimulatedProvider, *observers: object, **options: object) -> LLMManager:
    builder = LLMManager.builder(*observers).add_instance("openai", "model-1", "k-0123456789abcdef", **options)  # type: ignore[arg-type]
    return builder.custom_endpoint(server.url).default_attempt_timeout(100.0).build()


def background(function: object, *args: object) -> threading.Thread:
    thread = threading.Thread(target=function, args=args, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0


def test_attempts_in_flight_may_end_within_the_grace(server: SimulatedProvider) -> None:
    """Their answers count; new requests are refused meanwhile."""
    server.set(latency=0.5)
    under_test = manager(server)
    under_test.warm()
    responses: list[LLMResponse] = []
    thread = background(lambda: responses.append(under_test.generate("Hi")))
    until(lambda: len(server.requests) == 1)
    closing = background(under_test.close)
    until(under_test._runtime.closed.is_set)
    with pytest.raises(ManagerClosedError):
        under_test.generate("Hi")
    thread.join(HANG)
    closing.join(HANG)
    assert [response.success for response in responses] == [True]


@pytest.mark.parametrize("grace", [0.0, 0.3])
def test_hung_attempts_are_cut_after_the_grace(server: SimulatedProvider, grace: float) -> None:
    """They fail as closed and are not tried again; threads, files and leases are as before."""
    with manager(server) as before:
        before.generate("Hi")  # what is loaded once is loaded
    threads, open_files = threading.active_count(), files()
    server.reset()
    server.set(fault=Fault.SILENCE)
    under_test = manager(server)
    errors: list[object] = []
    hung = [background(lambda: errors.append(under_test.generate_sequentially(["Hi"])[0].error)) for _ in range(8)]
    until(lambda: len(server.requests) == 8)
    began = time.monotonic()
    under_test.close(grace)
    assert grace <= time.monotonic() - began < grace + SOON
    for thread in hung:
        thread.join(HANG)
    assert [type(error) for error in errors] == [ManagerClosedError] * 8
    assert len(server.requests) == 8
    assert sum(snapshot.in_flight for snapshot in under_test.instances) == 0
    until(lambda: threading.active_count() <= threads and files() <= open_files)


def test_parked_requests_fail_at_once(server: SimulatedProvider) -> None:
    """While the one in flight has its grace."""
    server.set(latency=0.5)
    under_test = manager(server, max_concurrency=1)
    results: list[LLMResponse] = []
    batch = background(lambda: results.extend(under_test.batch_generate(["Hi"] * 6, max_workers=6)))
    until(lambda: len(server.requests) == 1)
    under_test.close()
    batch.join(HANG)
    assert sorted(type(result.error).__name__ for result in results) == ["ManagerClosedError"] * 5 + ["NoneType"]
    assert len(server.requests) == 1


@pytest.mark.parametrize("reading", [False, True], ids=["idle", "reading"])
def test_open_streams_are_ended(server: SimulatedProvider, reading: bool) -> None:
    """Whether a thread is reading at that moment or nobody is; what had come is in the error, and booked once."""
    server.set(reply="one two three four", fault=stall(3))
    under_test = manager(server)
    stream = under_test.generate_stream("Hi")
    errors: list[BaseException] = []

    def read() -> None:
        try:
            list(stream)
        except StreamInterruptedError as error:
            errors.append(error)

    reader = background(read) if reading else None
    time.sleep(0.1)
    began = time.monotonic()
    under_test.close(grace=0.2)
    assert time.monotonic() - began < SOON
    assert sum(snapshot.in_flight for snapshot in under_test.instances) == 0
    if reader is None:
        read()
    else:
        reader.join(HANG)
    assert len(errors) == 1
    assert "one" in str(getattr(errors[0], "partial", ""))


def test_closing_again_and_from_many_threads_does_nothing_more(server: SimulatedProvider) -> None:
    """Everybody returns."""
    server.set(fault=Fault.SILENCE)
    under_test = manager(server)
    hung = background(lambda: under_test.generate_sequentially(["Hi"]))
    until(lambda: len(server.requests) == 1)
    closing = [background(under_test.close, 0.2) for _ in range(8)]
    for thread in (*closing, hung):
        thread.join(HANG)
        assert not thread.is_alive()
    under_test.close()


def test_a_batchs_callback_may_close(server: SimulatedProvider) -> None:
    """Each item has a result: its answer, or that the manager was closed."""
    server.set(latency=0.05)
    under_test = manager(server)
    began = time.monotonic()
    results = under_test.batch_generate(["Hi"] * 40, max_workers=4, on_result=lambda index, _: under_test.close(LONG))
    assert time.monotonic() - began < SOON
    assert len(results) == 40
    kinds = {type(result.error).__name__ for result in results}
    assert kinds == {"NoneType", "ManagerClosedError"}


class Closer:
    """An observer that closes the manager it observes."""

    def __init__(self) -> None:
        self.manager: LLMManager | None = None
        self.took: list[float] = []

    def on_attempt(self, event: AttemptEvent) -> None:
        assert self.manager is not None
        began = time.monotonic()
        self.manager.close(LONG)
        self.took.append(time.monotonic() - began)

    def on_request(self, event: RequestEvent) -> None: ...


@pytest.mark.parametrize("streamed", [False, True], ids=["call", "stream"])
def test_an_observer_may_close(server: SimulatedProvider, streamed: bool) -> None:
    """It does not wait for the attempt whose end it is told of."""
    closer = Closer()
    under_test = closer.manager = manager(server, closer)
    if streamed:
        with under_test.generate_stream("Hi") as stream:
            assert list(stream)
    else:
        assert under_test.generate("Hi").success
    until(lambda: len(closer.took) == 1)
    assert closer.took[0] < SOON


def test_a_stream_is_closed_while_another_thread_reads_it(server: SimulatedProvider) -> None:
    """The reader wakes at once, its connection is gone, and the place is free."""
    server.enqueue(Behaviour("one two three four", fault=stall(3)))
    with manager(server) as under_test:
        stream = under_test.generate_stream("Hi")
        errors: list[BaseException] = []

        def read() -> None:
            try:
                list(stream)
            except StreamInterruptedError as error:
                errors.append(error)

        reader = background(read)
        time.sleep(0.1)
        began = time.monotonic()
        stream.close()
        reader.join(HANG)
        assert time.monotonic() - began < SOON
        assert len(errors) <= 1
        assert sum(snapshot.in_flight for snapshot in under_test.instances) == 0
        assert under_test.generate("Hi").success


def test_leaving_by_ctrl_c_does_not_wait(server: SimulatedProvider) -> None:
    """The grace is for orderly ends."""
    server.set(fault=Fault.SILENCE)
    with pytest.raises(KeyboardInterrupt), manager(server) as under_test:  # noqa: PT012
        background(lambda: under_test.generate_sequentially(["Hi"]))
        until(lambda: len(server.requests) == 1)
        began = time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - began < GRACE


def test_a_cut_never_hits_a_connection_that_serves_another(server: SimulatedProvider) -> None:
    """Streams closed at random moments, from other threads, while calls reuse the same connections: no call fails."""
    server.set(reply="one two three")
    with manager(server, max_concurrency=8) as under_test:
        failed: list[object] = []
        ended = threading.Event()

        def call() -> None:
            while not ended.is_set():
                response = under_test.generate_sequentially(["Hi"])[0]
                if not response.success or len(response.attempts) != 1:
                    failed.append(response.error or response.attempts)

        callers = [background(call) for _ in range(4)]
        for number in range(60):
            stream = under_test.generate_stream("Hi")
            closer = background(stream.close)
            if number % 2:
                with contextlib.suppress(StreamInterruptedError):
                    list(stream)
            closer.join(HANG)
        ended.set()
        for caller in callers:
            caller.join(HANG)
    assert failed == []
