"""Rules of handing events to an observer in the background."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import pytest

from flyllm.observability import at_exit, background
from flyllm.observability.background import Background
from flyllm.observability.events import AttemptEvent, InstanceEvent, RequestEvent
from flyllm.request import GenerationRequest
from flyllm.types import Attempt, LLMResponse
from tests.unit.fakes import ManualClock

HANG = 20.0
"""Seconds after which a wait has failed; none needs a tenth of one."""

ATTEMPT = Attempt(1, 0, "i0", "openai", "m", 1.0, 0.0, 0.5, "success")


REQUEST = GenerationRequest("x")


def event(content: str, request: GenerationRequest = REQUEST) -> AttemptEvent:
    return AttemptEvent(ATTEMPT, request, {}, None, content)


class Disk:
    """An observer that can hang: while it is not `open` it takes an event and does not come back."""

    def __init__(self) -> None:
        self.open, self.entered = threading.Event(), threading.Event()
        self.open.set()
        self.seen: list[Any] = []
        self.threads: list[threading.Thread] = []

    def on_attempt(self, event: AttemptEvent) -> None:
        self.entered.set()
        assert self.open.wait(HANG)
        self.seen.append(event.content)
        self.threads.append(threading.current_thread())

    def on_request(self, event: RequestEvent) -> None:
        self.seen.append(event)

    def hang(self) -> None:
        self.open.clear()


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.open.set()


def fill(under_test: Background, *contents: str) -> None:
    for content in contents:
        under_test.on_attempt(event(content))


def threads_of_ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "flyllm-observer"]


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    """After each test those threads are gone, so that the next begins without."""
    yield
    for thread in threads_of_ours():
        thread.join(HANG)
    assert not threads_of_ours()


# ---- the ordinary way


def test_events_are_handed_over_in_order_in_one_thread_that_is_not_the_requests(disk: Disk) -> None:
    """Attempts and requests share the queue; `close` returns when all of them are through."""
    under_test, request = Background(disk), RequestEvent(GenerationRequest("x"), LLMResponse("ok"))
    fill(under_test, "a", "b")
    under_test.on_request(request)
    fill(under_test, "c")
    under_test.close(HANG)
    assert disk.seen == ["a", "b", request, "c"]
    assert {thread.name for thread in disk.threads} == {"flyllm-observer"}
    assert disk.threads[0].daemon
    assert len(set(disk.threads)) == 1


def test_no_thread_before_the_first_event_and_none_after_close(disk: Disk) -> None:
    """Neither making it nor closing it unused starts one; an event after `close` does."""
    under_test = Background(disk)
    under_test.close(HANG)
    assert not threads_of_ours()
    fill(under_test, "a")
    under_test.close(HANG)
    disk.threads[0].join(HANG)
    assert not threads_of_ours()
    fill(under_test, "b")
    under_test.close(HANG)
    assert disk.seen == ["a", "b"]


def test_a_thread_without_events_ends_by_itself(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager dropped without `close` leaves none behind; the next event begins another."""
    monkeypatch.setattr(background, "_QUIET", 0.0)
    under_test = Background(disk)
    for content in ("a", "b"):
        disk.entered.clear()
        fill(under_test, content)
        assert disk.entered.wait(HANG)
        for thread in threads_of_ours():
            thread.join(HANG)
        assert not at_exit._held
    assert disk.seen == ["a", "b"]
    assert len(set(disk.threads)) == 2


def test_an_event_that_comes_while_the_thread_ends_is_not_forgotten(disk: Disk) -> None:
    """Whoever queues it believes the thread at work; the thread looks once more when it has ceased to be."""
    under_test = Background(disk)
    under_test._busy.acquire()
    fill(under_test, "late")
    assert not threads_of_ours()
    under_test._rest()
    under_test.close(HANG)
    assert disk.seen == ["late"]


def test_no_event_of_many_threads_is_lost_or_doubled(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thread's events keep their order, also where the thread ends after every single one."""
    monkeypatch.setattr(background, "_QUIET", 0.0)
    under_test, barrier = Background(disk), threading.Barrier(16)

    def work(number: int) -> None:
        barrier.wait(HANG)
        fill(under_test, *(f"{number}-{n:02d}" for n in range(50)))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    under_test.close(HANG)
    assert len(disk.seen) == len(set(disk.seen)) == 800
    for number in range(16):
        own = [content for content in disk.seen if content.startswith(f"{number}-")]
        assert own == sorted(own)


def test_what_the_caller_changes_after_its_answer_does_not_show(disk: Disk) -> None:
    """A conversation grows by the answer at once; the event is of the moment it was made."""
    asked: list[GenerationRequest] = []
    disk.on_attempt = lambda event: (disk.open.wait(HANG), asked.append(event.request))  # type: ignore[method-assign, assignment]
    disk.hang()
    messages, metadata = [{"role": "user", "content": "Hi"}], {"job": 1}
    under_test = Background(disk)
    under_test.on_attempt(event("a", GenerationRequest(messages=messages, metadata=metadata)))
    under_test.on_attempt(event("b"))
    messages[0]["content"] = "changed"
    messages.append({"role": "assistant", "content": "Hello"})
    metadata.clear()
    disk.open.set()
    under_test.close(HANG)
    assert asked == [GenerationRequest(messages=[{"role": "user", "content": "Hi"}], metadata={"job": 1}), REQUEST]


# ---- an observer that hangs or fails


def test_what_finds_the_queue_full_is_dropped_and_said_once(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """No request waits for the observer; once it is back, what was queued arrives and new events are taken."""
    disk.hang()
    under_test = Background(disk, capacity=3)
    fill(under_test, "a")
    assert disk.entered.wait(HANG)
    fill(under_test, "b", "c", "d", "e", "f")
    assert under_test.dropped == 2
    disk.open.set()
    under_test.close(HANG)
    fill(under_test, "g")
    under_test.close(HANG)
    assert disk.seen == ["a", "b", "c", "d", "g"]
    (record,) = caplog.records
    assert record.getMessage().startswith("observer 'Disk' is too slow: 3 events wait for it and further ones are")
    assert "debug_folder" in record.getMessage()


def test_close_waits_no_longer_than_it_is_told(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """It says what is not through; all of it is once the observer comes back."""
    disk.hang()
    under_test = Background(disk)
    fill(under_test, "a", "b", "c")
    assert disk.entered.wait(HANG)
    began = time.monotonic()
    under_test.close(0.05)
    under_test.close(0.0)
    assert time.monotonic() - began < 2.0
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "observer 'Disk' has not taken all events within 0.05 s",
        "observer 'Disk' has not taken all events within 0 s",
    ]
    assert "up to 3 are lost" in caplog.records[0].getMessage()
    disk.open.set()
    under_test.close(float("inf"))
    assert disk.seen == ["a", "b", "c"]


def test_an_observer_that_raises_is_logged_once_under_its_name(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """Its later events are handed over all the same."""

    class Broken(Disk):
        def on_attempt(self, event: AttemptEvent) -> None:
            super().on_attempt(event)
            raise ValueError("broken")

    under_test = Background(broken := Broken())
    fill(under_test, "a", "b", "c")
    under_test.close(HANG)
    assert broken.seen == ["a", "b", "c"]
    (record,) = caplog.records
    assert record.getMessage() == "observer 'Broken' failed; further failures of it are not logged"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_observer_that_ends_the_thread_costs_its_event_only(disk: Disk) -> None:
    """As `sys.exit()` does: another thread goes on with what is queued."""

    class Leaving(Disk):
        def on_attempt(self, event: AttemptEvent) -> None:
            super().on_attempt(event)
            raise SystemExit

    under_test = Background(leaving := Leaving())
    leaving.hang()
    fill(under_test, "a", "b")
    leaving.open.set()
    under_test.close(HANG)
    assert leaving.seen == ["a", "b"]


@pytest.mark.parametrize("failure", [RuntimeError("can't start new thread"), MemoryError()])
def test_where_no_thread_is_to_be_had_the_requests_own_does_it(
    failure: Exception, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No event is lost and no request fails; when there are threads again, one is used."""
    under_test = Background(disk)

    def start(_: threading.Thread) -> None:
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        fill(under_test, "a", "b")
        under_test.close(HANG)
        assert disk.threads == [threading.current_thread()] * 2
        assert not at_exit._held
    fill(under_test, "c")
    under_test.close(HANG)
    assert disk.seen == ["a", "b", "c"]
    assert disk.threads[2] is not threading.current_thread()


# ---- forks and the end


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_an_empty_queue_and_a_thread_of_its_own(disk: Disk) -> None:
    """What the parent has queued, with its thread hung, is written by the parent only."""
    disk.hang()
    under_test = Background(disk, capacity=2)
    fill(under_test, "a")
    assert disk.entered.wait(HANG)
    fill(under_test, "b", "c", "dropped")
    child = os.fork()
    if child == 0:
        os._exit(_in_child(under_test, disk))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    disk.open.set()
    under_test.close(HANG)
    assert disk.seen == ["a", "b", "c"]


def _in_child(under_test: Background, disk: Disk) -> int:
    signal.alarm(int(HANG))  # instead of hanging for ever
    try:
        disk.open = threading.Event()
        disk.open.set()
        fresh = (under_test.dropped, under_test._queue.qsize(), set(at_exit._held)) == (0, 0, set())
        fill(under_test, "child")
        under_test.close(HANG)
        return 0 if fresh and disk.seen == ["child"] else 1
    except BaseException:
        return 2


def test_the_end_of_the_interpreter_shares_its_second_among_all(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are well are through although another hangs, and one bound holds for them together."""
    monkeypatch.setattr(at_exit, "SECONDS", 0.2)
    monkeypatch.setattr(at_exit, "_spent", 0.0)
    disk.hang()
    hung = [Background(disk) for _ in range(3)]
    for each in hung:
        fill(each, "late")
    well = Background(other := Disk())
    fill(well, *"abc")
    began = time.monotonic()
    at_exit._close_all()
    assert time.monotonic() - began < 2.0
    assert len(at_exit._held) >= 3
    well.close(HANG)
    assert other.seen == ["a", "b", "c"]
    disk.open.set()
    for each in hung:
        each.close(HANG)
    assert disk.seen == ["late"] * 3


def test_importing_starts_no_thread() -> None:
    """Nor does the end of a process that has observed nothing wait."""
    script = "import threading, flyllm.observability.background; print(threading.active_count())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=HANG, check=True)
    assert done.stdout == "1\n"


def test_events_are_not_changed(disk: Disk) -> None:
    """The observer behind gets equal events: nothing is read out of them in the request's thread."""
    taken: list[AttemptEvent] = []
    disk.on_attempt = taken.append  # type: ignore[method-assign]
    under_test, given = Background(disk), event("a", GenerationRequest("x", system="s", metadata={"k": 1}))
    under_test.on_attempt(given)
    under_test.close(HANG)
    assert taken == [replace(given)]


# Context and company


def test_the_context_of_the_request_goes_along(disk: Disk) -> None:
    """What a trace calls the current span, the observer's thread sees as the request did."""
    current: ContextVar[str] = ContextVar("current", default="none")
    seen: list[str] = []

    class Tracer:
        def on_request(self, event: RequestEvent) -> None:
            seen.append(current.get())

    tracer = Background(Tracer())
    for name in ("one", "two"):
        current.set(name)
        tracer.on_request(RequestEvent(REQUEST, LLMResponse("ok")))
    tracer.close(HANG)
    assert seen == ["one", "two"]


def test_only_what_the_observer_wants_is_queued(disk: Disk) -> None:
    """An observer of requests costs nothing per attempt."""

    class OfRequests:
        def on_request(self, event: RequestEvent) -> None: ...

    full = Background(OfRequests(), capacity=0)  # which counts what is put
    full.on_attempt(event("x"))
    full.on_instance(InstanceEvent(0, "i0", "openai", "m", "recovered"))
    assert full.dropped == 0
    full.on_request(RequestEvent(REQUEST, LLMResponse("ok")))
    assert full.dropped == 1


def test_an_observer_that_closes_does_not_wait_for_itself() -> None:
    """It may close the manager that it observes."""
    took: list[float] = []

    class Closer:
        def on_attempt(self, event: AttemptEvent) -> None:
            began = time.monotonic()
            closer.close(HANG)
            took.append(time.monotonic() - began)

    closer = Background(Closer())
    closer.on_attempt(event("x"))
    closer.close(HANG)
    assert took[0] < HANG / 2


class Closing:
    """What is held, with the time it takes to close on a clock that is moved by hand."""

    def __init__(self, name: str, clock: ManualClock, calls: list[str], takes: float = 0.0) -> None:
        self._name, self._clock, self._calls, self._takes = name, clock, calls, takes

    def end(self) -> None:
        self._calls.append(f"end {self._name}")

    def close(self, seconds: float) -> None:
        self._calls.append(f"close {self._name} within {seconds:g}")
        self._clock.advance(min(seconds, self._takes))


def test_all_are_told_to_end_before_any_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the second at the end of the process is one, however often the end comes by."""
    clock, calls = ManualClock(), list[str]()
    held = {Closing("a", clock, calls, 0.75)}
    monkeypatch.setattr(at_exit, "_clock", clock)
    monkeypatch.setattr(at_exit, "_spent", 0.0)
    monkeypatch.setattr(at_exit, "_held", held)
    at_exit._close_all()
    assert calls == ["end a", "close a within 1"]
    held.add(Closing("b", clock, calls))
    calls.clear()
    at_exit._close_all()
    assert sorted(calls[:2]) == ["end a", "end b"]
    assert {call.partition(" within ")[0] for call in calls[2:]} == {"close a", "close b"}
    assert max(float(call.rpartition(" ")[2]) for call in calls[2:]) == 0.25
    at_exit._close_all()
    assert {call.rpartition(" ")[2] for call in calls[-2:]} == {"0"}
