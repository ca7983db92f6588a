"""Where a batch's progress is shown, and how often. No failure of a display reaches the batch."""

import logging
import math
import sys
from collections.abc import Callable
from typing import Protocol

from flyllm._batch.lines import Lines
from flyllm._batch.notebook import Notebook, notebook_display
from flyllm._batch.snapshot import BatchProgress
from flyllm.errors import ConfigError

logger = logging.getLogger("flyllm.batch")

OnProgress = Callable[[BatchProgress], object]
"""Called in the thread that consumes the batch, at most about four times a second, and at the end."""


class Surface(Protocol):
    """What progress is drawn on.

    Attributes:
        patience: seconds from the beginning of the batch to the first drawing.
        interval: seconds between two drawings, at least.
    """

    patience: float
    interval: float

    def draw(self, snapshot: BatchProgress) -> None:
        """Show a batch that goes on."""

    def end(self, snapshot: BatchProgress) -> None:
        """Show a batch that is over, and leave everything as it was found."""


class Display:
    """Draws progress on a surface when it is time to. Starts no thread: it changes when it is shown something."""

    def __init__(self, surface: Surface) -> None:
        self._surface, self._next = surface, surface.patience
        self._closed = self._failed = False

    def due(self, elapsed: float) -> bool:
        """Whether a snapshot taken `elapsed` seconds after the beginning would be drawn; if not, none need be taken."""
        return elapsed >= self._next

    def show(self, snapshot: BatchProgress) -> None:
        """Draw `snapshot`, if that is due."""
        if self.due(snapshot.elapsed):
            self._next = snapshot.elapsed + self._surface.interval
            self._contained(self._surface.draw, snapshot)

    def close(self, snapshot: BatchProgress) -> None:
        """Draw the end, once. Nothing is drawn afterwards."""
        if not self._closed:
            self._closed, self._next = True, math.inf
            self._contained(self._surface.end, snapshot)

    def _contained(self, draw: OnProgress, snapshot: BatchProgress) -> None:
        try:
            draw(snapshot)
        except Exception:
            if not self._failed:
                self._failed = True
                logger.exception("showing the progress failed; the batch goes on")


class Calls:
    """A function of the user's, called with every snapshot."""

    patience = 0.0
    interval = 0.25

    def __init__(self, function: OnProgress) -> None:
        self._function = function

    def draw(self, snapshot: BatchProgress) -> None:
        """Call it."""
        self._function(snapshot)

    end = draw


class Nothing:
    """Nowhere."""

    patience = interval = math.inf

    def draw(self, snapshot: BatchProgress) -> None:
        """Do nothing."""

    end = draw


def display_for(progress: bool | OnProgress | None) -> Display:
    """Return the display that `progress` asks for: a function to call, True for what fits stderr, else none.

    Raises ConfigError for anything else.
    """
    if callable(progress):
        return Display(Calls(progress))
    if progress is not None and not isinstance(progress, bool):
        raise ConfigError(f"progress must be True, False or a function, not {type(progress).__name__}")
    return Display(_surface_here() if progress else Nothing())


def _surface_here() -> Surface:
    """Return a bar in a notebook or on a terminal, lines where stderr is neither or rich is not installed."""
    display = notebook_display()
    if display is not None:
        return Notebook(display)
    if not _is_terminal():
        return Lines()
    try:
        from flyllm._batch.terminal import Terminal, open_console
    except ImportError:
        return Lines()
    console = open_console()
    return Terminal(console) if console.is_interactive else Lines()


def _is_terminal() -> bool:
    # Asked here because FORCE_COLOR, which CI services set, makes rich take any file for a terminal.
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except ValueError:  # closed
        return False
