"""Who used the processors meanwhile: this process, and others that would disturb the figures."""

import os
from pathlib import Path
from time import monotonic, process_time

_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Load:
    """Processor time since it was made."""

    def __init__(self) -> None:
        self._began, self._own, self._all = monotonic(), process_time(), _busy()

    def taken(self) -> tuple[float, float, float | None]:
        """Return real seconds, processor seconds of this process, and of the whole machine (None where unknown)."""
        busy = _busy()
        everyone = busy - self._all if busy is not None and self._all is not None else None
        return monotonic() - self._began, process_time() - self._own, everyone


def _busy() -> float | None:
    """Return the processor seconds of all processes since boot; Linux tells."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _wait, irq, soft, steal = map(int, fields[:8])
    return (user + nice + system + irq + soft + steal) / _TICK
