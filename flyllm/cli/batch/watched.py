"""The progress of a batch on stderr, and its last state for the summary."""

import sys
from types import TracebackType
from typing import Self

from flyllm._batch.display import display_for
from flyllm._batch.snapshot import BatchProgress


class Watched:
    """What a batch calls with its progress. On a terminal the last state stays; elsewhere the summary says it."""

    def __init__(self, *, shown: bool) -> None:
        self._display = display_for(shown)
        self._drawn = False
        self.last = BatchProgress(done=0)

    def __call__(self, snapshot: BatchProgress) -> None:
        """Show `snapshot` when that is due, and keep it."""
        self.last = snapshot
        self._drawn = self._drawn or self._display.due(snapshot.elapsed)
        self._display.show(snapshot)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self._drawn and sys.stderr.isatty():
            self._display.close(self.last)
