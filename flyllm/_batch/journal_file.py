"""The file of a journal: whole lines, on disk when `append` returns, and nobody else's while it is open.

A file that is something else is refused as it is. What the lines say is the journal's business.
"""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Self

from flyllm._batch.file_lock import try_lock
from flyllm._batch.journal_header import HEADER, has_header
from flyllm._fork import after_fork
from flyllm.errors import ConfigError, LLMError

_LONGEST_FIRST_LINE = 4096
_sync = getattr(os, "fdatasync", os.fsync)


class JournalFile:
    """An open journal, locked for as long as it is. A forked child lets go of it and cannot use it.

    `path` is its name for messages, `appended` the number of lines since it was opened. Any thread may use it.
    """

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self._fd, self._end = fd, 0
        self.appended = 0
        self._waiting: dict[object, bytes] = {}  # lines to append, in the order in which they came
        # Guards the file, its position and end, and `appended`, over the I/O as well: nobody may come between a
        # position and what is written there, and those who wait for it meanwhile have their lines written together.
        # Nothing else is locked under it. Reentrant: garbage collection may close an abandoned batch in any thread.
        self._lock = threading.RLock()
        after_fork(self, JournalFile._let_go)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open or create the journal at `path`, for its owner only. Raises ConfigError."""
        try:
            name = os.fsdecode(path)
            file = cls(name, os.open(name, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600))
        except (OSError, ValueError, TypeError) as exc:
            raise ConfigError(_cannot_open(path, exc)) from exc
        try:
            file._begin()
        except OSError as exc:
            file.close()
            raise ConfigError(_cannot_open(path, exc)) from exc
        except BaseException:
            file.close()
            raise
        return file

    @property
    def is_open(self) -> bool:
        """Whether this process may use it."""
        return self._fd >= 0

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield every line after the header with where it begins. The last may lack its end: `complete` it or `cut`."""
        os.lseek(self._fd, 0, os.SEEK_SET)
        with open(self._fd, "rb", closefd=False) as reader:
            offset = len(reader.readline())
            for line in reader:
                yield offset, line
                offset += len(line)

    def line(self, offset: int) -> bytes:
        """Return the line that begins at `offset`. Raises LLMError."""
        try:
            with self._lock:
                os.lseek(self._fd, offset, os.SEEK_SET)
                with open(self._fd, "rb", closefd=False) as reader:
                    return reader.readline()
        except (OSError, ValueError) as exc:
            raise LLMError(f"{self._name} cannot be read: {self._reason(exc)}") from exc

    def append(self, lines: bytes) -> None:
        """Write whole lines, together with those of other threads; they are on disk when it returns.

        Raises LLMError when that cannot be had. Of lines that were written in part the whole ones stay.
        """
        ticket = object()
        self._waiting[ticket] = lines
        try:
            with self._lock:
                if ticket in self._waiting:
                    self._append_waiting()
        except OSError as exc:
            raise LLMError(
                f"{self._name} cannot be written: {self._reason(exc)}. What was recorded before is safe; run the batch "
                "again with the same journal to go on from there"
            ) from exc
        finally:
            self._waiting.pop(ticket, None)

    def cut(self, offset: int) -> None:
        """Remove what begins at `offset`."""
        os.ftruncate(self._fd, offset)
        self._end = offset

    def complete(self) -> None:
        """End the last line."""
        self._append(b"\n")

    def close(self) -> None:
        """Close and unlock it."""
        with self._lock:
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)

    def _let_go(self) -> None:
        # The lock is the parent's for as long as any process has the file open.
        self._lock = threading.RLock()
        self.close()

    def _begin(self) -> None:
        found = os.fstat(self._fd)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{self._name} is no file of text but a device or a pipe: give the journal another path")
        if not try_lock(self._fd):
            raise ConfigError(
                f"{self._name} is in use by another batch, in this process or another: wait for its end, or give this "
                "batch a journal of its own"
            )
        self._end = os.fstat(self._fd).st_size  # once it is locked: somebody may just have finished
        if not has_header(self._first_line(), self._name):
            self.cut(0)
            self._append(HEADER)
            _sync_folder(self.path)

    def _first_line(self) -> bytes:
        os.lseek(self._fd, 0, os.SEEK_SET)
        with open(self._fd, "rb", closefd=False) as reader:
            return reader.readline(_LONGEST_FIRST_LINE)

    def _append_waiting(self) -> None:
        """Write for all who wait. Where that fails, each of them tries it again, to hear of it or to succeed."""
        group = self._waiting.copy()
        lines = b"".join(group.values())
        self._append(lines)
        self.appended += lines.count(b"\n")
        for ticket in group:
            self._waiting.pop(ticket, None)

    def _append(self, lines: bytes) -> None:
        found = os.fstat(self._fd)
        if not found.st_nlink or found.st_size < self._end:
            raise LLMError(f"{self._name} was deleted or cut by somebody else while it was open: results may be lost")
        self._end = found.st_size
        try:
            self._write(lines)
            _sync(self._fd)
        except BaseException:
            with suppress(OSError):
                self._keep_whole(lines)
            raise
        self._end += len(lines)

    def _write(self, lines: bytes) -> None:
        rest = memoryview(lines)
        os.lseek(self._fd, self._end, os.SEEK_SET)
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def _keep_whole(self, lines: bytes) -> None:
        written = max(0, os.fstat(self._fd).st_size - self._end)
        self.cut(self._end + lines.rfind(b"\n", 0, written) + 1)

    @property
    def _name(self) -> str:
        return f"the journal {self.path!r}"

    def _reason(self, exc: Exception) -> str:
        if not self.is_open:
            return "it is closed, or another process's that this one was forked from"
        return _reason(exc)


def _cannot_open(path: Any, exc: Exception) -> str:
    name = f"the journal {str(path)[:200]!r} cannot be opened"
    if isinstance(exc, FileNotFoundError):
        return f"{name}: its folder does not exist; create it first"
    if isinstance(exc, IsADirectoryError):
        return f"{name}: it is a folder; give the path of a file in it"
    if isinstance(exc, PermissionError):
        return f"{name}: this process may not read and write it ({_reason(exc)})"
    return f"{name}: {_reason(exc)}"


def _reason(exc: Exception) -> str:
    return (exc.strerror if isinstance(exc, OSError) else None) or str(exc)


def _sync_folder(path: str) -> None:
    """Have a new file's name on disk as well, where the system can."""
    with suppress(OSError):
        fd = os.open(os.path.dirname(path) or os.curdir, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
