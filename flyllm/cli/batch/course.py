"""The course of `flyllm batch`: rows in, results out, however it ends."""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any

from flyllm.cli.batch.interrupts import Interrupts
from flyllm.cli.batch.output import Output
from flyllm.cli.batch.row import Row
from flyllm.cli.batch.source import Source
from flyllm.cli.batch.tally import Tally
from flyllm.errors import BatchStoppedError, ConfigError, DeadlineExceededError
from flyllm.manager import LLMManager
from flyllm.types import LLMResponse


class Requests:
    """The requests of `source` for a batch, and the rows of those that are under way.

    A row without a request is handed over as well: the batch refuses it, so that it has a place and a result like any
    other. With `strict` it ends the batch instead, with a ConfigError.
    """

    def __init__(self, source: Source, *, strict: bool) -> None:
        self._source, self._strict = source, strict
        self._open: dict[int, Row] = {}

    def __iter__(self) -> Iterator[Any]:
        try:
            for index, row in enumerate(self._source.rows):
                if row.fault is not None and self._strict:
                    raise self._error(row)
                self._open[index] = row
                yield row if row.request is None else row.request
        except OSError as error:
            raise ConfigError(f"Failed to read '{self._source.name}': {error.strerror or error}") from error

    def result(self, response: LLMResponse) -> tuple[Row, LLMResponse]:
        """Return the row that `response` is for, and its result."""
        row = self._open.pop(response.index or 0)
        if row.fault is not None:
            response = replace(response, error=self._error(row))
        return row, replace(response, custom_id=row.custom_id)

    def _error(self, row: Row) -> ConfigError:
        return ConfigError(f"{self._source.name}, line {row.line}: {row.fault}")


class Counted:
    """Requests of which it is known how many there are, for the progress."""

    def __init__(self, requests: Requests, total: int) -> None:
        self._requests, self._total = requests, total

    def __iter__(self) -> Iterator[Any]:
        return iter(self._requests)

    def __len__(self) -> int:
        return self._total


@dataclass(frozen=True, slots=True)
class Course:
    """One batch. `options` are the arguments of `batch_iter`."""

    source: Source
    strict: bool
    counted: bool
    options: dict[str, Any]

    def run(self, manager: LLMManager, output: Output, tally: Tally, interrupts: Interrupts) -> None:
        """Write every result to `output`, and count it. Raises KeyboardInterrupt once all that had come is written."""
        requests = Requests(self.source, strict=self.strict)
        total = self.source.count() if self.counted else None
        given = requests if total is None else Counted(requests, total)

        def deliver(response: LLMResponse) -> None:
            with interrupts.held():
                row, result = requests.result(response)
                output.write(row.write(row, result))
                tally.count(row, result)

        try:
            deliver_all(manager.batch_iter(given, **self.options), deliver)
        except (BatchStoppedError, DeadlineExceededError) as stopped:
            tally.stopped = stopped
        output.begin()


def deliver_all(responses: Any, deliver: Callable[[LLMResponse], None]) -> None:
    """Call `deliver` with all of `responses`, a generator; after Ctrl-C with those that had come by then."""
    with closing(responses):  # where a result cannot be written, what is in flight is cut
        try:
            for response in responses:
                deliver(response)
        except KeyboardInterrupt as interrupt:
            with suppress(KeyboardInterrupt):
                responses.throw(interrupt)  # it may have come here, and not there
            for response in getattr(interrupt, "flyllm_results", ()):
                deliver(response)
            raise
