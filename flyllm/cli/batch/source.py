"""The input: opened, its format found, read no further than the batch asks for."""

import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from flyllm.cli.batch.formats import STDIN, Format, format_of
from flyllm.cli.batch.json_input import json_rows, text_rows
from flyllm.cli.batch.row import Defaults, Row
from flyllm.cli.batch.table import Table
from flyllm.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Source:
    """An open input.

    Attributes:
        name: what it is called in messages.
        rows: its requests, read as they are asked for.
        head: what the output begins with.
        count: counts its requests ahead, None where that is not possible.
    """

    name: str
    rows: Iterator[Row]
    head: bytes
    count: Callable[[], int | None]


@dataclass(frozen=True, slots=True)
class Reading:
    """How an input is to be read. None takes the format by the name's ending, and the usual columns of a table."""

    file_format: Format | None
    column: str | None
    id_column: str | None
    defaults: Defaults


@contextmanager
def open_source(path: str, reading: Reading) -> Iterator[Source]:
    """Open the file at `path`, "-" for stdin. Raises ConfigError where it cannot be read."""
    file_format = reading.file_format or format_of(path)
    finish = reading.defaults.complete
    with ExitStack() as stack:
        file, name = sys.stdin.buffer, "stdin"
        if path != STDIN:
            file, name = stack.enter_context(_opened(path)), path
        if file_format is Format.CSV:
            table = Table(_decoded(file), name, reading.column, reading.id_column)
            yield Source(name, table.rows(finish), table.head, lambda: _count_records(path, reading))
        else:
            rows = json_rows if file_format is Format.JSONL else text_rows
            yield Source(name, rows(file, finish), b"", lambda: _count_lines(path))


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"Failed to read '{path}': {reason}") from error


def _decoded(file: BinaryIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")


def _count_lines(path: str) -> int | None:
    if not _is_file(path):
        return None
    with _opened(path) as file:
        return sum(1 for line in file if line.strip())


def _count_records(path: str, reading: Reading) -> int | None:
    if not _is_file(path):
        return None
    with _decoded(_opened(path)) as lines:
        return sum(1 for _ in Table(lines, path, reading.column, reading.id_column).rows(lambda request: request))


def _is_file(path: str) -> bool:
    return path != STDIN and stat.S_ISREG(os.stat(path).st_mode)
