"""Progress on a terminal: a bar at its bottom, and above it whatever else is printed meanwhile."""

import sys
from contextlib import ExitStack
from threading import Lock
from typing import IO, Any, cast

from rich.console import Console
from rich.live import Live

from flyllm._batch.bar import bar_at_end, bar_under_way
from flyllm._batch.lines import Lines
from flyllm._batch.snapshot import BatchProgress
from flyllm._batch.terminal_logs import TerminalLogs

_bottom = Lock()
"""Held by the one bar of this process."""


class Terminal:
    """A bar, or lines where another bar has the terminal's bottom already; a line for a batch that is over at once."""

    patience = 0.5
    interval = 0.1

    def __init__(self, console: Console) -> None:
        self._console = console
        self._surface: LiveBar | Lines | None = None

    def draw(self, snapshot: BatchProgress) -> None:
        """Show how far the batch is."""
        if self._surface is None:
            self._surface = self._begin()
        self._surface.draw(snapshot)

    def end(self, snapshot: BatchProgress) -> None:
        """Show the end, and leave the terminal as it was."""
        (self._surface or Lines()).end(snapshot)

    def _begin(self) -> "LiveBar | Lines":
        if hasattr(sys.stderr, "rich_proxied_file") or not _bottom.acquire(blocking=False):
            return Lines()
        return LiveBar(self._console)


class LiveBar:
    """A bar of rich's, while it is at the bottom. What is printed meanwhile appears above it.

    `sys.stderr` is led through the bar's console, `sys.stdout` where it is a terminal (not a file or a pipe), and so
    are log handlers on these. `_bottom` is held for it, and released by its end.
    """

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=_on_terminal(sys.stdout))
        self._logs = TerminalLogs(sys.stdout, sys.stderr)

    def draw(self, snapshot: BatchProgress) -> None:
        """Draw the bar."""
        if not self._live.is_started:
            self._live.start()
            self._logs.lead_to(sys.stdout, sys.stderr)
        self._live.update(bar_under_way(snapshot), refresh=True)

    def end(self, snapshot: BatchProgress) -> None:
        """Draw the bar for the last time, and let go of the terminal."""
        with ExitStack() as stack:  # each of these is done, whatever becomes of the others
            stack.callback(_bottom.release)
            stack.callback(self._live.stop)
            stack.callback(self._logs.lead_back)
            self._live.update(bar_at_end(snapshot))


class _Console(Console):
    def show_cursor(self, show: bool = True) -> bool:
        """Leave the cursor as it is: one that was never hidden is there after a kill, too."""
        return False


class _Outlet:
    """A stream whose reader may go away: what is written then is lost, and nothing else."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_console() -> Console:
    """Return a console on the stderr of now; text goes through it unchanged, long lines unbroken."""
    file = cast(IO[str], _Outlet(sys.stderr))
    return _Console(file=file, markup=False, highlight=False, emoji=False, soft_wrap=True)


def _on_terminal(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False
