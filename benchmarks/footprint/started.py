"""Fresh interpreters: the processor time they take, and the memory that they have at the end."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from benchmarks.batches.resident import IS_TOLD

_TELL = """
with open('/proc/self/status') as status:
    print(next(line.split()[1] for line in status if line.startswith('VmHWM')))
"""  # with nothing that flyllm imports and a bare interpreter does not


@dataclass(frozen=True, slots=True)
class Started:
    """Processor seconds, and the peak of resident bytes (0 where the system does not tell)."""

    cpu: float
    memory: int


def added(script: str, rounds: int) -> Started:
    """Return what `script` adds to an interpreter that does nothing: the median of rounds in which they take turns."""
    costs, memories = [], []
    with tempfile.TemporaryDirectory() as folder:
        environment = _compiling_to(folder)
        _run(script, environment)  # compiles
        for _ in range(rounds):
            bare, full = _run("pass", environment), _run(script, environment)
            costs.append(full.cpu - bare.cpu)
            memories.append(full.memory - bare.memory)
    return Started(median(costs), round(median(memories)))


def _compiling_to(folder: str) -> Mapping[str, str]:
    """Return an environment in which modules are compiled once, whatever this one says."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": folder}


def _run(script: str, environment: Mapping[str, str]) -> Started:
    whole = f"{script}\n{_TELL if IS_TOLD else 'print(0)'}"
    command = [sys.executable, "-c", whole]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)  # noqa: S603
    assert process.stdout is not None
    told = process.stdout.read()
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"an interpreter ended with code {process.returncode}")
    return Started(used.ru_utime + used.ru_stime, 1024 * int(told))
