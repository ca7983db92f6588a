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

PROMPT = 20.0
"""Seconds for what is bounded to one, on a busy machine."""

BUILDS = """
import multiprocessing, os, sys, time
from flyllm import LLMManager
from flyllm.observability import json_array

def slowly(*args, write=json_array._write):
    time.sleep(0.01)
    write(*args)

json_array._write = slowly  # so that there is a queue when the process ends

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
        (place / "debug.json").hardlink_to(file)
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


WRITES = """
import json, os, random, signal, sys, threading, time
from flyllm.observability.debug_files import DebugFiles
from flyllm.observability.events import AttemptEvent
from flyllm.request import GenerationRequest
from flyllm.types import Attempt

def write(files, text, size=0):
    attempt = Attempt(1, 0, "i0", "openai", "m0", 1.7e9, 0.0, 1.0, "success")
    files.on_attempt(AttemptEvent(attempt, GenerationRequest("x" * size), {}, None, text))

path = os.path.join(sys.argv[1], "1700000000", "0_openai_m0", "debug.json")
"""

CROWD = """
import fcntl
def work(process):
    files = DebugFiles(sys.argv[1])
    def several(thread):
        for number in range(50):
            write(files, f"{process}-{thread}-{number}", size=3000)
    threads = [threading.Thread(target=several, args=(thread,)) for thread in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()

children = []
for process in range(3):
    if not (child := os.fork()):
        work(process)
        os._exit(0)
    children.append(child)
looks = 0
while children:
    if os.waitpid(children[0], os.WNOHANG)[0]:
        children.pop(0)
    if os.path.exists(path):
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            text = file.read()
        json.loads(text or "[]")
        looks += 1
found = [entry["output"]["content"] for entry in json.load(open(path))]
print(looks > 1, len(found), len(set(found)))
"""


def test_many_processes_and_threads_write_one_file_while_it_is_read(tmp_path: Path) -> None:
    """No entry is lost or torn, and whoever takes the lock always finds an array."""
    done = run(sys.executable, "-c", WRITES + CROWD, str(tmp_path))
    assert (done.stdout, done.stderr) == ("True 1200 1200\n", "")


KILLED = """
draw, torn, written = random.Random(7), 0, 0
for round in range(60):
    read_end, write_end = os.pipe()
    if not (child := os.fork()):
        files = DebugFiles(sys.argv[1])
        while True:
            write(files, "killed", size=30_000)
            os.write(write_end, b".")
    os.read(read_end, 1)
    time.sleep(draw.random() * 0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(write_end)
    written += 1 + len(os.read(read_end, 100_000))
    os.close(read_end)
    with open(path, "rb") as file:
        file.seek(-4, os.SEEK_END)
        torn += file.read() != b"\\n}\\n]"
    write(DebugFiles(sys.argv[1]), "after")
    if round % 20 == 19:
        found = [entry["output"]["content"] for entry in json.load(open(path))]
        # Those that were killed after an entry and before they said so wrote one more.
        assert 0 <= found.count("killed") - written <= round + 1, (found.count("killed"), written)
        assert found.count("after") == round + 1
print(torn, written, os.path.getsize(path))
"""


def test_a_writer_that_is_killed_costs_its_own_entry_at_most(tmp_path: Path) -> None:
    """What it leaves half written is repaired by the next writer, and all others' entries are there."""
    done = run(sys.executable, "-c", WRITES + KILLED, str(tmp_path))
    assert done.returncode == 0, done.stderr


FILLS_UP = """
import resource
least = 20_000
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
files = DebugFiles(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (least, hard))
for number in range(100):
    write(files, f"before-{number}")
    json.load(open(path))
kept = len(json.load(open(path)))
assert 0 < kept < 100, kept
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
write(files, "after")
found = [entry["output"]["content"] for entry in json.load(open(path))]
assert found == [f"before-{number}" for number in range(kept)] + ["after"], found
"""


def test_a_file_that_may_not_grow_keeps_what_it_has(tmp_path: Path) -> None:
    """As on a full disk: an array after every entry, one warning, and entries again once there is room."""
    pytest.importorskip("resource")
    done = run(sys.executable, "-c", WRITES + FILLS_UP, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("debug files cannot be written") == 1
