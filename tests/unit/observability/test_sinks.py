"""Rules of the company of observers."""

import threading
import time

import pytest

from flyllm.errors import ConfigError
from flyllm.observability.events import AttemptEvent, Observer, RequestEvent
from flyllm.observability.sinks import Sinks, check_observer
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse
from tests.unit.fakes import Recorder

REQUEST = RequestEvent(GenerationRequest("x"), LLMResponse("ok"))


class Stuck(Observer):
    """Comes back when it is let go."""

    def __init__(self) -> None:
        self.free = threading.Event()

    def on_request(self, event: RequestEvent) -> None:
        self.free.wait(20.0)


def test_one_that_hangs_holds_nobody_up() -> None:
    """Neither the request nor the others behind a thread wait for it."""
    stuck, quick, slow = Stuck(), Recorder(), Recorder()
    sinks = Sinks([quick], [stuck, slow])
    began = time.monotonic()
    sinks.emitter.request(REQUEST)
    assert quick.requests == [REQUEST]
    sinks.close(0.2)
    assert slow.requests or threading.active_count()
    assert time.monotonic() - began < 10.0
    stuck.free.set()
    sinks.close(20.0)
    assert slow.requests == [REQUEST]


def test_an_observer_that_could_observe_nothing_is_refused() -> None:
    """A misspelt method, or the class itself, would be silent for ever."""

    class Misspelt:
        def on_attempts(self, event: AttemptEvent) -> None: ...

    with pytest.raises(ConfigError, match="one of the methods on_start, on_attempt, on_request, on_instance; Misspelt"):
        check_observer(Misspelt())
    with pytest.raises(ConfigError, match="must be an object, not the class Recorder: add \\(\\) to it"):
        check_observer(Recorder)
    check_observer(Recorder())
    check_observer(Observer())
