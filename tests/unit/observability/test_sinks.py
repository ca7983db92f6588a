"""Rules of the company of observers."""

import threading

import pytest

from flyllm.errors import ConfigError
from flyllm.observability import sinks
from flyllm.observability.events import AttemptEvent, Observer, RequestEvent
from flyllm.observability.sinks import Sinks, check_observer
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse
from tests.unit.fakes import Recorder

REQUEST = RequestEvent(GenerationRequest("x"), LLMResponse("ok"))
HANG = 20.0
"""Seconds after which a wait has failed."""


class Stuck(Observer):
    """Comes back when it is let go."""

    def __init__(self) -> None:
        self.free = threading.Event()

    def on_request(self, event: RequestEvent) -> None:
        self.free.wait(HANG)


class Told(Observer):
    """Says when it was told."""

    def __init__(self) -> None:
        self.told = threading.Event()

    def on_request(self, event: RequestEvent) -> None:
        self.told.set()


def test_one_that_hangs_holds_nobody_up() -> None:
    """Neither the request nor the others behind a thread."""
    stuck, quick, slow = Stuck(), Recorder(), Told()
    company = Sinks([quick], [stuck, slow])
    company.emitter.request(REQUEST)
    assert quick.requests == [REQUEST]
    assert slow.told.wait(HANG)
    assert not stuck.free.is_set()
    stuck.free.set()
    company.close(HANG)


def test_all_are_told_to_end_before_any_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that one that hangs does not take the others' time."""
    calls: list[str] = []

    class Recorded:
        def __init__(self, name: str) -> None:
            self._name = name

        def end(self) -> None:
            calls.append(f"end {self._name}")

        def close(self, seconds: float) -> None:
            calls.append(f"close {self._name}")

    monkeypatch.setattr(sinks, "Background", Recorded)
    Sinks([], ["a", "b"]).close(HANG)
    assert calls == ["end a", "end b", "close a", "close b"]


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
