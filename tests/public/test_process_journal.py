"""kill -9 of a process that records: what it has reported as recorded is in the journal, which is whole."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flyllm import GenerationRequest
from flyllm._batch.journal import Journal
from tests.public.processes import ROOT, environment, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")

KILLS = 10

RECORDS = """
import itertools, random, sys
from flyllm import GenerationRequest, LLMResponse
from flyllm._batch.journal import Journal

path, begin = sys.argv[1], int(sys.argv[2])
draw = random.Random(begin)
numbers = itertools.count(begin)

def record(journal):
    group = [next(numbers) for _ in range(draw.randint(1, 4))]
    length = draw.choice([10, 1000, 100_000, 1_000_000])
    journal.record(
        [(journal.entry(GenerationRequest(custom_id=str(n))), n, LLMResponse(str(n) + "x" * length)) for n in group]
    )
    print(group[-1], flush=True)

with Journal.open(path) as journal:
    while True:
        record(journal)
"""

OPENS = """
import sys
from flyllm._batch.journal import Journal
Journal.open(sys.argv[1])
"""


def record_until(end: signal.Signals, path: Path, begin: int, reports: int) -> int:
    """Have a process record from number `begin` on, and end it after so many reports; return the last that it made."""
    command = (sys.executable, "-c", RECORDS, str(path), str(begin))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment()
    ) as process:
        assert process.stdout
        reported = [process.stdout.readline() for _ in range(reports)]
        process.send_signal(end)
        reported += process.stdout.readlines()
    assert process.returncode == -end
    return int([line for line in reported if line.endswith("\n")][-1])


def missing(path: Path, numbers: range) -> list[int]:
    """Return which of these results the journal does not recall."""
    with Journal.open(path) as journal:
        found = {n: journal.recall(journal.entry(GenerationRequest(custom_id=str(n)))) for n in numbers}
    return [n for n, known in found.items() if known is None or not known.content.startswith(str(n))]


@pytest.mark.timeout(240)
def test_what_was_reported_as_recorded_survives_kill_9(tmp_path: Path) -> None:
    """Again and again, with one journal."""
    path, draw, begin = tmp_path / "run.jsonl", random.Random(5), 0
    for _ in range(KILLS):
        reported = record_until(signal.SIGKILL, path, begin, draw.randint(1, 20))
        assert missing(path, range(begin, reported + 1)) == []
        assert path.read_bytes().endswith(b"\n")
        begin = reported + 100


@pytest.mark.timeout(240)
def test_ctrl_c_leaves_whole_lines(tmp_path: Path) -> None:
    """Wherever it hits: there is nothing to mend."""
    path, draw, begin = tmp_path / "run.jsonl", random.Random(6), 0
    for _ in range(KILLS // 2):
        reported = record_until(signal.SIGINT, path, begin, draw.randint(1, 20))
        assert [json.loads(line)["index"] for line in path.read_bytes().splitlines()[1:]][-1] >= reported
        assert missing(path, range(begin, reported + 1)) == []
        begin = reported + 100


def test_two_processes_do_not_share_a_journal(tmp_path: Path) -> None:
    """The second one is told, and the first goes on."""
    path = tmp_path / "run.jsonl"
    with Journal.open(path):
        done = run(sys.executable, "-c", OPENS, str(path))
    assert done.returncode == 1
    assert "is in use by another batch, in this process or another" in done.stderr
    assert run(sys.executable, "-c", OPENS, str(path)).stderr == ""
