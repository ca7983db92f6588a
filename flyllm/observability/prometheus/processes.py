"""What all processes together have counted, read from the files in which each keeps its values.

That is so where PROMETHEUS_MULTIPROC_DIR was set when prometheus_client was imported.
"""

import os
import struct
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from flyllm.errors import ConfigError

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_TRIES = 5


def several() -> bool:
    """Whether values are kept in files, for several processes to be added up."""
    return values.ValueClass is not values.MutexValue


def folder() -> str:
    """Return the folder of the files. Raises ConfigError where there is none."""
    path = os.environ.get(VARIABLE, "")
    if not os.path.isdir(path):
        raise ConfigError(f"{VARIABLE} must name a folder that exists, and stay set, not {path!r}")
    return path


def registry_of_all() -> CollectorRegistry:
    """Return a registry that shows what is in the files. Raises ConfigError where there is no folder."""
    registry = CollectorRegistry()
    registry.register(_Files(folder()))
    return registry


class _Files:
    def __init__(self, path: str) -> None:
        self._files = MultiProcessCollector(None, path)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        for left in reversed(range(_TRIES)):
            try:
                return list(self._files.collect())  # type: ignore[no-untyped-call]
            except struct.error:  # a process is just making a file: for a moment that is empty
                if not left:
                    raise
        return []
