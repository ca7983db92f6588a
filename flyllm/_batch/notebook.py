"""Progress in the output of a notebook's cell, by IPython's own display: nothing has to be installed for it."""

import sys
from collections.abc import Callable
from html import escape
from importlib import import_module
from typing import Any

from flyllm._batch.snapshot import BatchProgress
from flyllm._batch.wording import facts_at_end, line

IPythonDisplay = Callable[..., Any]
"""`IPython.display.display`."""


def notebook_display() -> IPythonDisplay | None:
    """Return what shows things in this process's notebook, None where there is none."""
    module: Any = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    if getattr(shell, "kernel", None) is None:  # IPython on a terminal has none
        return None
    display: IPythonDisplay = import_module("IPython.display").display
    return display


class Notebook:
    """A bar of HTML with a line of text, in one output that is updated."""

    patience = 0.5
    interval = 0.25

    def __init__(self, display: IPythonDisplay) -> None:
        self._display = display
        self._handle: Any = None

    def draw(self, snapshot: BatchProgress) -> None:
        """Show the bar, full as far as the batch is; moving to and fro where the total is not known."""
        full = f' value="{snapshot.done}" max="{snapshot.total}"' if snapshot.total else ""
        self._put(str(snapshot), f'<progress{full} style="width: 20em; vertical-align: middle"></progress> ')

    def end(self, snapshot: BatchProgress) -> None:
        """Leave a line."""
        self._put(line(facts_at_end(snapshot)), "")

    def _put(self, text: str, bar: str) -> None:
        text = f"flyllm: {text}"
        content = {"text/plain": text, "text/html": f"<div>{bar}{escape(text)}</div>"}
        if self._handle is None:
            self._handle = self._display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)
