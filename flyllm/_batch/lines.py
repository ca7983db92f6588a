"""Progress as plain lines on stderr: for logs, files and whatever else is no terminal."""

import sys
from contextlib import suppress

from flyllm._batch.snapshot import BatchProgress
from flyllm._batch.wording import facts_at_end, line

SHORTEST, USUAL, LONGEST = 1.0, 10.0, 60.0
"""Seconds between two lines: after another tenth of the requests, at first, and after a long time."""

SHARE = 20
"""A line after each such part of the time that has passed: a night's log stays readable."""


class Lines:
    """A line every 10 s, later every minute, and at each tenth of a known total."""

    patience = interval = SHORTEST

    def __init__(self) -> None:
        self._last, self._tenths = 0.0, 0

    def draw(self, snapshot: BatchProgress) -> None:
        """Write a line if it is time for one."""
        passed, tenths = snapshot.elapsed - self._last, _tenths(snapshot)
        pause = min(LONGEST, max(USUAL, snapshot.elapsed / SHARE))
        if passed >= pause or (passed >= SHORTEST and tenths > self._tenths):
            self._last, self._tenths = snapshot.elapsed, tenths
            _write(str(snapshot))

    def end(self, snapshot: BatchProgress) -> None:
        """Write the last line."""
        _write(line(facts_at_end(snapshot)))


def _tenths(snapshot: BatchProgress) -> int:
    return 10 * snapshot.done // snapshot.total if snapshot.total else 0


def _write(text: str) -> None:
    stderr = sys.stderr  # looked up each time: what redirects it is obeyed
    if stderr is None:
        return
    with suppress(OSError, ValueError):  # its reader is gone, or it is closed
        stderr.write(f"flyllm: {text}\n")
        stderr.flush()
