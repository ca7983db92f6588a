"""Where commands print: a terminal in colour, anything else as plain lines of a fixed width."""

import os

from rich.console import Console
from rich.table import Table

PLAIN_WIDTH = 110
"""Columns where no terminal says how wide it is; wide enough for every table of this package."""


def open_console(*, stderr: bool = False) -> Console:
    """Return a console on stdout or stderr. Text is printed as it is: brackets and colons mean nothing."""
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PLAIN_WIDTH
    return console


def open_table(*headings: str) -> Table:
    """Return a table without lines, for `console.print`."""
    return Table(*headings, box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
