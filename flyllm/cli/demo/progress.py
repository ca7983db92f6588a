"""A batch's progress: a bar on a terminal, a line now and then elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from flyllm.types import LLMResponse

OnResult = Callable[[int, LLMResponse], None]

_LINES = 4
"""Lines in the place of the bar."""


class Tally:
    """Counts responses: answered, failed, and the attempts that had to be made again."""

    def __init__(self) -> None:
        self.answered = self.failed = self.retried = 0

    def add(self, response: LLMResponse) -> None:
        """Count one response."""
        self.answered += response.success
        self.failed += not response.success
        self.retried += max(0, len(response.attempts) - 1)

    @property
    def done(self) -> int:
        """Responses so far."""
        return self.answered + self.failed

    def __str__(self) -> str:
        return f"{self.answered} answered, {self.failed} failed, {self.retried} retried"


@contextmanager
def batch_progress(console: Console, total: int) -> Iterator[OnResult]:
    """Show the progress of `total` requests; yields what to call with every response."""
    if console.is_interactive:
        with _bar(console) as bar:
            yield _on_bar(bar, total)
    else:
        yield _in_lines(console, total)


def _bar(console: Console) -> Progress:
    counts = TextColumn("{task.fields[tally]}", markup=False)
    return Progress(SpinnerColumn(), BarColumn(), MofNCompleteColumn(), counts, TimeElapsedColumn(), console=console)


def _on_bar(bar: Progress, total: int) -> OnResult:
    tally = Tally()
    task = bar.add_task("", total=total, tally=tally)

    def on_result(_: int, response: LLMResponse) -> None:
        tally.add(response)
        bar.update(task, completed=tally.done)

    return on_result


def _in_lines(console: Console, total: int) -> OnResult:
    tally = Tally()
    every = max(1, -(-total // _LINES))

    def on_result(_: int, response: LLMResponse) -> None:
        tally.add(response)
        if tally.done % every == 0 or tally.done == total:
            console.print(f"  {tally.done}/{total}: {tally}")

    return on_result
