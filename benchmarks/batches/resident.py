"""The memory of this process, as Linux tells it."""

import re
from pathlib import Path

_SELF = Path("/proc/self")
IS_TOLD = (_SELF / "status").exists() and (_SELF / "clear_refs").exists()


def resident() -> int:
    """Return the bytes that are resident now."""
    return _status("VmRSS")


def peak() -> int:
    """Return the most bytes that were resident since `forget_peak`."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Let the peak be what is resident now."""
    (_SELF / "clear_refs").write_text("5", encoding="ascii")


def _status(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", (_SELF / "status").read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None
    return 1024 * int(found[1])
