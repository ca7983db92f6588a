"""What came of a batch: counted, told at its end in a few lines, and as an exit code."""

from collections.abc import Iterator

from flyllm._batch.snapshot import BatchProgress
from flyllm._batch.wording import compact, duration
from flyllm.cli.batch.row import Row
from flyllm.cli.exit_codes import ALL, NOTHING, PARTIAL
from flyllm.errors import LLMError
from flyllm.types import LLMResponse

SHOWN = 3
"""Failures that are shown with their reason."""

_LONGEST = 200


class Tally:
    """Counts results. `stopped` is why not all of the input was sent, None where it was."""

    def __init__(self) -> None:
        self.answered = self.failed = 0
        self.stopped: LLMError | None = None
        self._failures: list[str] = []

    def count(self, row: Row, response: LLMResponse) -> None:
        """Count the result of a row."""
        self.answered += response.success
        if response.error is None:
            return
        self.failed += 1
        if len(self._failures) < SHOWN:
            reason = row.fault or f"{type(response.error).__name__}: {response.error}"
            self._failures.append(f"line {row.line}: {' '.join(reason.split())[:_LONGEST]}")

    @property
    def code(self) -> int:
        """The exit code."""
        if not self.failed and self.stopped is None:
            return ALL
        return PARTIAL if self.answered else NOTHING

    def lines(self, progress: BatchProgress, source: str) -> Iterator[str]:
        """Yield the summary, then the first failures and why it was stopped; `source` is the input's name."""
        yield ", ".join(self._facts(progress))
        yield from (f"{source}, {failure}" for failure in self._failures)
        if self.failed > len(self._failures):
            yield f"and {self.failed - len(self._failures):,} more; each failure is in its result"
        if self.stopped is not None:
            yield str(self.stopped)

    def _facts(self, progress: BatchProgress) -> Iterator[str]:
        recalled = f" ({progress.recalled:,} recalled)" if progress.recalled else ""
        yield f"{self.answered:,} answered{recalled}"
        yield f"{self.failed:,} failed"
        if progress.tokens is not None:
            yield f"{compact(progress.tokens)} tokens"
        if progress.cost is not None:
            yield f"cost {progress.cost:.4g}"
        yield f"in {duration(progress.elapsed)}"
