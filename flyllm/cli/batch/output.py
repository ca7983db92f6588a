"""The output of a batch: whole lines, each there as soon as it is written."""

import os
import stat
from types import TracebackType
from typing import Self

from flyllm.errors import LLMError


class Output:
    """A file of results, or stdout where `path` is None; it begins with `head`.

    What the file held before is there until the first line is written, so that a batch that cannot begin costs
    nothing. Raises LLMError where it cannot be written, and BrokenPipeError where its reader is gone.
    """

    def __init__(self, path: str | None, head: bytes) -> None:
        self._name, self._head, self._begun = path or "stdout", head, False
        try:
            # Without a buffer, of which a kill would take half a line.
            file = 1 if path is None else path
            self._file = open(file, "ab", buffering=0, closefd=path is not None)  # noqa: SIM115
        except (OSError, ValueError) as error:
            raise self._failure(error) from error

    def write(self, lines: bytes) -> None:
        """Write whole lines."""
        self.begin()
        self._write(lines)

    def begin(self) -> None:
        """Write what it begins with, in the place of what was there before, unless that is done."""
        if self._begun:
            return
        self._begun = True
        if self._name != "stdout" and stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            self._file.truncate(0)
        self._write(self._head)

    def _write(self, lines: bytes) -> None:
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> LLMError:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return LLMError(f"'{self._name}' cannot be written: {reason}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._file.close()
