"""All observers of a manager: the quick ones, which requests call themselves, and those behind a thread each."""

from collections.abc import Sequence

from flyllm._clock import SystemClock
from flyllm.errors import ConfigError
from flyllm.observability.background import Background
from flyllm.observability.events import Emitter

METHODS = ("on_start", "on_attempt", "on_request", "on_instance")


class Sinks:
    """What a request tells goes to the `emitter`.

    The `quick` ones may neither wait nor be slow; the `slow` ones may, and cost a request what a queue costs.
    """

    def __init__(self, quick: Sequence[object], slow: Sequence[object]) -> None:
        self._slow = [Background(observer) for observer in slow]
        self.emitter = Emitter([*quick, *self._slow])

    def close(self, seconds: float) -> None:
        """Wait until the slow ones have everything, at most `seconds` for all of them."""
        clock = SystemClock()
        until = clock.monotonic() + seconds
        for each in self._slow:  # at the same time, so that one that hangs leaves the others theirs
            each.end()
        for each in self._slow:
            each.close(max(0.0, until - clock.monotonic()))


def check_observer(observer: object) -> None:
    """Raise ConfigError for what could not observe anything: a class instead of an object, methods of other names."""
    if isinstance(observer, type):
        raise ConfigError(f"an observer must be an object, not the class {observer.__name__}: add () to it")
    if not any(callable(getattr(observer, method, None)) for method in METHODS):
        found = type(observer).__name__
        raise ConfigError(f"an observer must have one of the methods {', '.join(METHODS)}; {found} has none of them")
