"""One request of an input file, or what is wrong with it, and the shape in which its result is written."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from flyllm._execution.request_check import check_request
from flyllm.errors import ConfigError
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse

Write = Callable[["Row", LLMResponse], bytes]
"""Makes a row's result a line of the output, or a record of several where a value holds line breaks."""

Finish = Callable[[GenerationRequest], GenerationRequest]
"""Completes what was read and checks it. Raises ConfigError."""


@dataclass(frozen=True, slots=True)
class Row:
    """One request of an input.

    Attributes:
        line: the line at which it begins, from 1.
        write: how its result is written.
        request: None where there is none.
        fault: what is wrong with it, None where nothing is.
        cells: a table's row as it was read.
    """

    line: int
    write: Write
    request: GenerationRequest | None = None
    fault: str | None = None
    custom_id: str | None = None
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for requests that do not say it themselves: from the command line."""

    task: str | None = None
    params: dict[str, Any] | None = None

    def complete(self, request: GenerationRequest) -> GenerationRequest:
        """Return `request` with what it does not say itself. Raises ConfigError where it is not valid."""
        check_request(request)
        if self.params:
            request = replace(request, params={**self.params, **(request.params or {})})
        if self.task is not None and request.task is None:
            request = replace(request, task=self.task)
        return request


def fault_text(error: ConfigError) -> str:
    """Return what is wrong as one line."""
    return " ".join("; ".join(error.faults or (str(error),)).split())
