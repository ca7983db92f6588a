"""CSV: one prompt per row in a column with a name; results are the same rows with further columns."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence

from flyllm.cli.batch.row import Finish, Row, fault_text
from flyllm.cli.response_json import attempts
from flyllm.config.wording import hint
from flyllm.errors import ConfigError
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse

RESULTS = (
    "content",
    "error",
    "finish_reason",
    "model",
    "provider",
    "instance",
    "prompt_tokens",
    "completion_tokens",
    "cost",
    "attempts",
    "duration",
)
"""The columns of a result. One that the input has too is called "flyllm_..." in the output."""

PROMPT_COLUMN, ID_COLUMN = "prompt", "custom_id"
"""The columns of the prompts and, where it is there, of the requests' names, where no others are named."""

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # what a C long holds everywhere; the default is 128 KiB


class Table:
    """A table under way. `lines` is its text, undecodable bytes as surrogates; `name` says in messages what it is.

    Raises ConfigError where it has no such columns.
    """

    def __init__(self, lines: Iterable[str], name: str, column: str | None, id_column: str | None) -> None:
        self._reader = csv.reader(lines, strict=True)
        try:
            self._names = next(self._reader, [])
        except csv.Error as error:
            raise ConfigError(f"{name}, line 1: {error}") from None
        self._prompt = self._place(column or PROMPT_COLUMN, name)
        self._id = self._place(id_column or ID_COLUMN, name) if id_column or ID_COLUMN in self._names else None

    @property
    def head(self) -> bytes:
        """The output's first line."""
        return _record([*self._names, *(f"flyllm_{name}" if name in self._names else name for name in RESULTS)])

    def rows(self, finish: Finish) -> Iterator[Row]:
        """Yield a row for every one that is not blank."""
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader, None)
            except csv.Error as error:
                yield Row(line, self._write, fault=f"it is no CSV: {error}")
                continue
            if cells is None:
                return
            if cells:
                yield self._row(line, cells, finish)

    def _place(self, column: str, name: str) -> int:
        if column not in self._names:
            known = ", ".join(self._names) or "none"
            raise ConfigError(f"{name} has no column '{column}'{hint(column, self._names)}\n  → Its columns: {known}")
        return self._names.index(column)

    def _row(self, line: int, cells: list[str], finish: Finish) -> Row:
        custom_id = cells[self._id] if self._id is not None and self._id < len(cells) else None
        try:
            self._check(cells)
            request = finish(GenerationRequest(cells[self._prompt], custom_id=custom_id or None))
        except ConfigError as error:
            return Row(line, self._write, None, fault_text(error), custom_id, tuple(cells))
        return Row(line, self._write, request, None, custom_id, tuple(cells))

    def _check(self, cells: list[str]) -> None:
        if len(cells) != len(self._names):
            raise ConfigError(f"it has {len(cells)} cells, and the first line {len(self._names)}")
        if not cells[self._prompt]:
            raise ConfigError(f"its column '{self._names[self._prompt]}' is empty")
        try:
            "".join(cells).encode()
        except UnicodeEncodeError:
            raise ConfigError("it is not UTF-8 text") from None

    def _write(self, row: Row, response: LLMResponse) -> bytes:
        # As many cells as there are names, whatever was read.
        cells = [*row.cells, *[""] * len(self._names)][: len(self._names)]
        return _record([*cells, *_cells(response)])


def _cells(response: LLMResponse) -> Iterator[object]:
    """Yield the result's columns; None is an empty cell."""
    error, usage = response.error, response.usage
    yield response.content if error is None else None
    yield None if error is None else f"{type(error).__name__}: {error}"
    yield from (response.finish_reason, response.model, response.provider, response.instance_name)
    yield from (usage.prompt_tokens, usage.completion_tokens, response.cost)
    yield from (attempts(response), round(response.duration, 3))


def _record(cells: Sequence[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    # Bytes that were no text come out as they went in; a lone surrogate in an answer has no bytes.
    try:
        return text.getvalue().encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.getvalue().encode(errors="replace")
