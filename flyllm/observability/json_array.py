"""A file that is a JSON array of objects, appended to in constant time by many threads and processes.

An entry and the array's end after it are written at once, over the end that was there. A writer that is killed in the
middle of it leaves a torn end, which the next one repairs; whoever reads while others write takes the lock (`flock`,
shared) that writers hold, or looks again.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

try:
    import fcntl
except ImportError:  # Windows: processes that share a file may spoil it
    fcntl = None  # type: ignore[assignment]

_BEGIN, _NEXT, _END = b"[\n", b",\n", b"\n]"
_LAST_LINE = b"\n}"
"""How every entry ends, and no line in one begins: what is after the last of them is torn."""

_BLOCK = 65_536
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def append(path: str, entry: bytes) -> None:
    """Append a JSON object whose last line, and no other one, begins with a closing brace.

    Makes the file and the folders it needs, for their owner only. Raises OSError, after which the file is as it was.
    """
    try:
        fd = os.open(path, _FLAGS, 0o600)
    except FileNotFoundError:
        _make_folder(os.path.dirname(path))
        fd = os.open(path, _FLAGS, 0o600)
    try:
        with _alone_with(fd):
            _put(fd, _end_of_entries(fd, _size_of_ours(fd)), entry)
    finally:
        os.close(fd)


def _make_folder(path: str) -> None:
    """Make a folder and those above it; `os.makedirs` would leave those above to the umask."""
    if path and not os.path.isdir(path):
        _make_folder(os.path.dirname(path))
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)


def _put(fd: int, end: int, entry: bytes) -> None:
    try:
        _write(fd, end, (_NEXT if end else _BEGIN) + entry + _END)
    except OSError:
        _finish(fd, end)
        raise


def _finish(fd: int, end: int) -> None:
    """Make the entries before `end` the whole array."""
    if not end:
        os.ftruncate(fd, 0)
        return
    _write(fd, end, _END)
    os.ftruncate(fd, end + len(_END))


def _end_of_entries(fd: int, size: int) -> int:
    """Return where the last entry ends, 0 where there is none; repair a torn end."""
    tail = _read(fd, max(0, size - 4), 4)
    if not size or tail == _LAST_LINE + _END:
        return max(0, size - len(_END))
    if not _BEGIN.startswith(_read(fd, 0, len(_BEGIN))):
        raise OSError(errno.EEXIST, "there is a file of another kind")
    end = _last_line(fd, size)
    _finish(fd, end)
    return end


def _last_line(fd: int, size: int) -> int:
    """Return where the last whole entry of a torn file ends, 0 where there is none."""
    below = size
    while below > 0:
        above, below = min(below + len(_LAST_LINE) - 1, size), max(0, below - _BLOCK)
        found = _read(fd, below, above - below).rfind(_LAST_LINE)
        if found >= 0:
            return below + found + len(_LAST_LINE)
    return 0


def _size_of_ours(fd: int) -> int:
    """Return the file's size. Raises OSError where it was laid there for us to write to: a device, another user's."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "this is no regular file")
    if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "this is another user's file")
    return found.st_size


@contextmanager
def _alone_with(fd: int) -> Iterator[None]:
    """Lock: a forked child, or a worker begun in the same second, has the same path."""
    if fcntl is not None:
        fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if fcntl is not None:
            # Closing does not unlock while a child that was forked meanwhile has the file open as well.
            fcntl.flock(fd, fcntl.LOCK_UN)


def _read(fd: int, at: int, count: int) -> bytes:
    os.lseek(fd, at, os.SEEK_SET)
    return os.read(fd, count)


def _write(fd: int, at: int, text: bytes) -> None:
    os.lseek(fd, at, os.SEEK_SET)
    while text:
        text = text[os.write(fd, text) :]
