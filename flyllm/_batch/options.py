"""What a caller may ask of a batch."""

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from flyllm._batch.display import OnProgress
from flyllm._execution.request_check import seconds_faults, threads_faults
from flyllm.errors import ConfigError
from flyllm.observability.budget import Budget

WINDOW = 1024
"""Requests read ahead at least, where the caller does not say; a queued one takes less than 1 KB."""


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """The arguments of `batch_iter`, whose docstring says what they mean. None is everywhere the default."""

    max_workers: int | None = None
    ordered: bool = False
    window: int | None = None
    deadline: float | None = None
    journal: str | os.PathLike[str] | None = None
    progress: bool | OnProgress | None = None
    max_failures: int | None = None
    budget: Budget | None = None
    executor: Executor | None = None

    def check(self) -> None:
        """Raise one `ConfigError` that names everything wrong."""
        faults = [
            *seconds_faults("deadline", self.deadline),
            *threads_faults("max_workers", self.max_workers),
            *threads_faults("window", self.window),
            *_count_faults("max_failures", self.max_failures),
            *_kind_faults("budget", self.budget, Budget, "a flyllm.Budget, such as Budget(tokens=100_000)"),
            *_kind_faults("executor", self.executor, Executor, "a concurrent.futures.Executor"),
            *_kind_faults("journal", self.journal, str | os.PathLike, "the path of a file"),
            *_progress_faults(self.progress),
        ]
        if faults:
            raise ConfigError.from_faults(faults, "The batch is not valid")


def _count_faults(name: str, value: Any) -> Iterator[str]:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        yield f"{name} must be a whole number of at least 0, not {value!r:.40}"


def _kind_faults(name: str, value: Any, kind: Any, noun: str) -> Iterator[str]:
    if value is not None and not isinstance(value, kind):
        yield f"{name} must be {noun}, not {type(value).__name__}"


def _progress_faults(progress: Any) -> Iterator[str]:
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        yield f"progress must be True, False or a function of a BatchProgress, not {type(progress).__name__}"
