"""Debug files at the end of a process: what is queued gets written, and a disk that hangs holds nothing up."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyllm.testing import ProviderSimulator, SimulatedProvider
from tests.public.processes import run

fcntl = pytest.importorskip("fcntl")

PROMPT = 4.0
"""Seconds for what is bounded to one, on a busy machine."""

BUILDS = """
import multiprocessing, os, sys, time
from flyllm import LLMManager
from flyllm.observability import debug_files

def slowly(*args, write=debug_files._write):
    time.sleep(0.01)
    write(*args)

debug_files._write = slowly  # so that there is a queue when the process ends

def build():
    builder = LLMManager.builder().add_instance("openai", "model-1", "k-0123456789abcdef").custom_endpoint(sys.argv[1])
    return builder.debug_folder(sys.argv[2]).build()

def work():
    global manager
    manager = build()
    assert all(response.success for response in manager.batch_generate(["Hi"] * 20, max_workers=4))
"""

ENDS = {
    "with its manager": "work()",
    "without its manager": "work(); del manager",
    "by sys.exit": "work(); sys.exit()",
    "in atexit": "import atexit; atexit.register(work); build()",
    "in a thread": "import threading; threading.Thread(target=work).start()",
    "in a forked process": "p = multiprocessing.get_context('fork').Process(target=work); p.start(); p.join()",
    "after a fork": "work(); p = multiprocessing.get_context('fork').Process(target=print); p.start(); p.join()",
}


@pytest.fixture
def server() -> Iterator[SimulatedProvider]:
    with ProviderSimulator() as simulator:
        yield simulator["openai"]


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_all_is_written_although_nobody_closes(end: str, server: SimulatedProvider, tmp_path: Path) -> None:
    """However the process ends, and each entry once."""
    done = run(sys.executable, "-c", f"{BUILDS}\n{end}", server.url, str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert sum(len(json.loads(file.read_text())) for file in tmp_path.rglob("debug.json")) == 20


def hang(folder: Path) -> Path:
    """Make one file of all that a process begun now may write; whoever locks it is a disk that hangs."""
    file = folder / "held"
    file.touch()
    now = int(time.time())
    for second in range(now - 1, now + 90):
        place = folder / str(second) / "0_openai_model-1"
        place.mkdir(parents=True)
        (place / "debug.json").symlink_to(file)
    return file


MEASURES = """
work()
began = time.monotonic()
manager.close(grace=float(sys.argv[3]))
print(time.monotonic() - began, flush=True)
"""


@pytest.mark.parametrize("grace", [0.0, 1.5])
def test_close_is_bounded_by_its_grace_when_the_disk_hangs(
    grace: float, server: SimulatedProvider, tmp_path: Path
) -> None:
    """It waits a second at least, as it does for calls that it has cut, and the process then ends by itself."""
    with hang(tmp_path).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = run(sys.executable, "-c", BUILDS + MEASURES, server.url, str(tmp_path), str(grace))
    assert done.returncode == 0, done.stderr
    assert max(grace, 1.0) - 0.1 < float(done.stdout) < PROMPT


LEAVES = """
work()
print(time.time(), flush=True)
"""


def test_a_process_ends_promptly_when_the_disk_hangs(server: SimulatedProvider, tmp_path: Path) -> None:
    """What could not be written is lost, and a second later the process is gone."""
    with hang(tmp_path).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = run(sys.executable, "-c", BUILDS + LEAVES, server.url, str(tmp_path))
        ended = time.time()
    assert done.returncode == 0, done.stderr
    assert ended - float(done.stdout) < PROMPT
    assert not (tmp_path / "held").read_text()
