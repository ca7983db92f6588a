"""Rules of handing events to observers."""

import logging
import threading

import pytest

from flyllm.observability.events import AttemptEvent, Emitter, RequestEvent
from flyllm.request import GenerationRequest
from flyllm.types import Attempt, LLMResponse
from tests.unit.fakes import Recorder, core, instance

ATTEMPT = AttemptEvent(
    Attempt(1, 0, "i0", "openai", "m", 1.0, 0.0, 0.5, "success"), GenerationRequest("x"), {}, None, "ok"
)
REQUEST = RequestEvent(GenerationRequest("x"), LLMResponse("ok"))


class Broken:
    """An observer that fails at everything."""

    def on_attempt(self, event: AttemptEvent) -> None:
        raise ValueError("broken")

    def on_request(self, event: RequestEvent) -> None:
        raise KeyError("broken too")


def test_every_observer_gets_every_event() -> None:
    """Events go to all, in order, as the same frozen record."""
    one, two = Recorder(), Recorder()
    emitter = Emitter([one, two])
    emitter.attempt(ATTEMPT)
    emitter.request(REQUEST)
    assert one.attempts == two.attempts == [ATTEMPT]
    assert one.requests == two.requests == [REQUEST]
    with pytest.raises(AttributeError):
        ATTEMPT.content = "y"  # type: ignore[misc]


def test_an_observer_that_raises_is_logged_once_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The others get their events, the request its answer, and the log one line with the traceback."""
    with caplog.at_level(logging.ERROR, "flyllm.observability"):
        running = core(instance(0), observers=[Broken(), last := Recorder()])
        assert all(running.run().success for _ in range(3))
    assert len(last.attempts) == len(last.requests) == 3
    (record,) = caplog.records
    assert record.getMessage() == "observer 'Broken' failed; further failures of it are not logged"
    assert record.exc_info is not None


def test_two_broken_observers_are_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Each observer that fails is named once."""
    emitter = Emitter([Broken(), Broken()])
    with caplog.at_level(logging.ERROR, "flyllm.observability"):
        for _ in range(3):
            emitter.attempt(ATTEMPT)
            emitter.request(REQUEST)
    assert len(caplog.records) == 2


def test_many_threads_log_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Once means once, also when the observer fails in many threads at the same time."""
    emitter, barrier = Emitter([Broken()]), threading.Barrier(16)

    def work() -> None:
        barrier.wait(20)
        emitter.attempt(ATTEMPT)

    threads = [threading.Thread(target=work) for _ in range(16)]
    with caplog.at_level(logging.ERROR, "flyllm.observability"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert len(caplog.records) == 1


def test_an_interrupt_in_an_observer_is_no_failure_of_it() -> None:
    """Ctrl-C goes through."""

    class Interrupting(Recorder):
        def on_attempt(self, event: AttemptEvent) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Emitter([Interrupting()]).attempt(ATTEMPT)
