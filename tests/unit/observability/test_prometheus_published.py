"""Rules of gauges that are written for others to read. The files are prometheus_client's: see test_process_metrics."""

import gc
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from flyllm.observability.prometheus import published
from flyllm.observability.prometheus.gauges import GAUGES, STATES
from flyllm.observability.prometheus.published import PublishedGauges
from tests.unit.observability.test_prometheus_gauges import Reading, Snapshot

HANG = 20.0


class Manager:
    """A source whose snapshot can be changed; it tells when it is read."""

    def __init__(self) -> None:
        self.snapshot, self.was_read = Snapshot(), threading.Event()
        self.broken: OSError | None = None

    def read(self) -> Snapshot:
        self.was_read.set()
        if self.broken is not None:
            raise self.broken
        return self.snapshot


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the thread end as soon as there is nothing to do."""
    monkeypatch.setattr(published, "_QUIET", 0.0)
    monkeypatch.setattr(published, "INTERVAL", 0.0)
    yield
    settle()


def settle() -> None:
    while found := [thread for thread in threading.enumerate() if thread.name == "flyllm-metrics"]:
        found[0].join(HANG)
        assert not found[0].is_alive()


def value(gauges: PublishedGauges, name: str, *labels: str) -> float:
    row = next(row for row in GAUGES if row.name == name)
    gauge = gauges._gauges[row]
    return float((gauge.labels(*labels) if labels else gauge)._value.get())


def test_an_event_has_them_written_and_the_thread_ends() -> None:
    """Without an event nothing is, and there is no thread."""
    under_test, manager = PublishedGauges(), Manager()
    under_test.add(manager)
    assert not manager.was_read.is_set()
    under_test.touch()
    settle()
    assert value(under_test, "llm_in_flight", "i0", "openai", "m0") == 2
    assert value(under_test, "llm_queue_length") == 3
    manager.snapshot = replace(manager.snapshot, waiting=0)
    under_test.touch()
    settle()
    assert value(under_test, "llm_queue_length") == 0


def test_what_is_closed_changes_nothing_any_more() -> None:
    """A file cannot forget a series, so it shows what adds nothing: also no false alarm."""
    under_test, manager = PublishedGauges(), Manager()
    manager.snapshot = Snapshot((Reading(health="open", cooling=9.0),))
    under_test.add(manager)
    under_test.touch()
    settle()
    labels = ("i0", "openai", "m0")
    assert value(under_test, "llm_provider_healthy", *labels) == 0
    under_test.discard(manager)
    assert value(under_test, "llm_provider_healthy", *labels) == 1
    assert [value(under_test, "llm_breaker_state", *labels, state) for state in STATES] == [0, 0, 0]
    for name in ("llm_in_flight", "llm_concurrency_ceiling", "llm_cooldown_until_timestamp_seconds"):
        assert value(under_test, name, *labels) == 0
    assert value(under_test, "llm_retry_budget_tokens") == 0


def test_what_is_gone_changes_nothing_after_the_next_event() -> None:
    """Nobody else's event is late for long."""
    under_test, manager = PublishedGauges(), Manager()
    under_test.add(manager)
    under_test.touch()
    settle()
    del manager
    gc.collect()
    under_test.touch()
    settle()
    assert value(under_test, "llm_in_flight", "i0", "openai", "m0") == 0


def test_an_event_while_the_thread_ends_is_not_forgotten() -> None:
    """Whoever had it takes the thread to be at work."""
    under_test, manager = PublishedGauges(), Manager()
    under_test.add(manager)
    under_test._busy.acquire()
    under_test.touch()
    assert not manager.was_read.is_set()
    under_test._rest()
    assert manager.was_read.wait(HANG)


def test_many_threads_events_leave_the_last_state() -> None:
    """However they meet with the thread's end."""
    under_test, manager = PublishedGauges(), Manager()
    under_test.add(manager)
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait(HANG)
        for n in range(50):
            manager.snapshot = replace(manager.snapshot, waiting=n)
            under_test.touch()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    settle()
    assert value(under_test, "llm_queue_length") == 49


def test_a_disk_that_takes_nothing_costs_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Requests go on, and so do the gauges when it is back."""
    under_test, manager = PublishedGauges(), Manager()
    under_test.add(manager)
    manager.broken = OSError("no space left")
    for _ in range(3):
        under_test.touch()
        settle()
    assert [record.getMessage() for record in caplog.records] == [
        "gauges cannot be written: no space left; requests go on without"
    ]
    manager.broken = None
    under_test.touch()
    settle()
    assert value(under_test, "llm_queue_length") == 3
