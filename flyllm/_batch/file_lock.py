"""A lock on an open file, which the system takes back when the process ends in whatever way."""

import os
import sys

if sys.platform == "win32":
    import msvcrt

    _FAR = 2**31 - 1
    """Windows keeps others from reading a locked byte, so it is one that few files have."""

    def try_lock(fd: int) -> bool:
        """Lock the file until it is closed; return whether that was possible, False while somebody else has it."""
        os.lseek(fd, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def try_lock(fd: int) -> bool:
        """Lock the file until it is closed; return whether that was possible, False while somebody else has it.

        A forked child holds the lock as well, until it closes the file.
        """
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
