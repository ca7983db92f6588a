"""What the caller sees of a batch under way."""

from collections.abc import Callable, Sequence

from flyllm._batch.display import Display
from flyllm._batch.progress import Progress
from flyllm.types import LLMResponse


class Watch:
    """Counts, and shows what it counted when that is due. `cooling` names the instances that take nothing now."""

    def __init__(self, progress: Progress, display: Display, cooling: Callable[[], Sequence[str]]) -> None:
        self._progress, self._display, self._cooling = progress, display, cooling
        self.begun = progress.begun

    def finished(self, response: LLMResponse, recalled: bool = False) -> None:
        """Count a response; a `recalled` one came from an earlier run."""
        self._progress.finished(response, recalled=recalled)

    def show(self, in_flight: int) -> None:
        """Show the state, if that is due."""
        if self._display.due(self._progress.elapsed):
            self._display.show(self._progress.snapshot(in_flight, self._cooling()))

    def close(self, in_flight: int) -> None:
        """Show the last state and leave the terminal as it was."""
        self._display.close(self._progress.snapshot(in_flight, self._cooling()))
