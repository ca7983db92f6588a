"""kill -9 of a batch with a journal, again and again: every request is answered once, and nothing is sent twice.

`FLYLLM_KILLS=50` makes it the fifty of the promise; the default is a part of them.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from flyllm.testing import ProviderSimulator
from tests.public.processes import CANARY, HANG, ROOT, environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")

KILLS = int(os.environ.get("FLYLLM_KILLS", "8"))
REQUESTS = 60 * KILLS
WORKERS = 8

BATCH = """
import os, sys
from flyllm import GenerationRequest, LLMManager

url, journal, count, workers = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
requests = (GenerationRequest(f"question {n}", custom_id=f"id-{n}") for n in range(count))
builder = LLMManager.builder().add_instance("openai", "model-1", os.environ["BATCH_KEY"], endpoint=url)
with builder.build() as manager:
    for response in manager.batch_iter(requests, journal=journal, max_workers=workers):
        print(response.custom_id, response.success, flush=True)
"""


def started(url: str, journal: Path) -> "subprocess.Popen[str]":
    command = (sys.executable, "-c", BATCH, url, str(journal), str(REQUESTS), str(WORKERS))
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(BATCH_KEY=CANARY),
    )


def killed(url: str, journal: Path, moment: float) -> list[str]:
    """Run the batch and kill it so long after its first response; return the responses that it handed over."""
    with started(url, journal) as process:
        assert process.stdout
        first = process.stdout.readline()
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        return [line for line in (first, *process.stdout.readlines()) if line.endswith("\n")]


def recorded(journal: Path) -> list[str]:
    """The names in the journal's whole lines."""
    lines = [line for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [json.loads(line)["custom_id"] for line in lines[1:]]


@pytest.mark.timeout(50 * KILLS)
def test_after_kill_9_only_what_is_missing_is_sent(tmp_path: Path) -> None:
    """At any moment: what was handed over is in the journal, and at most what was in flight is asked for again."""
    journal, draw = tmp_path / "run.jsonl", random.Random(7)
    with ProviderSimulator() as simulator:
        server = simulator.add("openai", latency=0.03)
        for _ in range(KILLS):
            handed_over = killed(server.url, journal, draw.uniform(0.0, 0.15))
            assert {line.split()[0] for line in handed_over} <= set(recorded(journal))
        with started(server.url, journal) as process:
            told, complaints = process.communicate(timeout=60)
        assert process.returncode == 0, complaints
        assert sorted(told.split("\n")[:-1]) == sorted(f"id-{n} True" for n in range(REQUESTS))
        assert sorted(recorded(journal)) == sorted(f"id-{n}" for n in range(REQUESTS))
        asked = Counter(request.body["messages"][0]["content"] for request in server.requests)
        assert len(asked) == REQUESTS
        again = sum(asked.values()) - REQUESTS
        assert again <= KILLS * WORKERS
    assert CANARY not in journal.read_text()


STUCK = """
import itertools, os, sys, threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from flyllm import LLMManager

url, journal, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
crew = {"executor": globals()[sys.argv[4]](workers)} if sys.argv[4:] else {"max_workers": workers}
builder = LLMManager.builder().add_instance("openai", "model-1", "${BATCH_KEY}", endpoint=url)
numbers = itertools.count()
responses = builder.build().batch_iter((f"question {n}" for n in numbers), journal=journal, window=200, **crew)
next(responses)
print(next(numbers), flush=True)
threading.Event().wait()
"""
"""A consumer that does not come back for its second response; it says how many requests were read before."""


def lost(journal: Path, workers: int, *executor: str) -> int:
    """Kill such a batch and all its processes under way; return how many requests were sent and are not recorded."""
    with ProviderSimulator() as simulator:
        server = simulator.add("openai", latency=0.3)  # meanwhile the window is filled
        command = (sys.executable, "-c", STUCK, server.url, str(journal), str(workers), *executor)
        pipe, env = subprocess.PIPE, environment(BATCH_KEY=CANARY)
        with subprocess.Popen(command, stdout=pipe, text=True, cwd=ROOT, env=env, start_new_session=True) as process:
            assert process.stdout
            under_way = min(10 * workers, int(process.stdout.readline()) // 2)
            server.set(latency=0.05)
            for _ in range(int(HANG / 0.01)):
                if server.count >= under_way:
                    break
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGKILL)
        assert server.count >= under_way
        return server.count - len(journal.read_bytes().splitlines()[1:])


@pytest.mark.parametrize("executor", [(), ("ThreadPoolExecutor",)], ids=["threads", "executor"])
def test_a_consumer_that_never_comes_back_costs_no_more(tmp_path: Path, executor: tuple[str, ...]) -> None:
    """The threads go on to fill the window, and of each at most the request that it is at is not on disk."""
    assert lost(tmp_path / "run.jsonl", WORKERS, *executor) <= WORKERS


def test_nor_does_it_with_other_processes(tmp_path: Path) -> None:
    """Each may be at one request while the last one's answer is on its way, as is what the pool has queued for them."""
    assert lost(tmp_path / "run.jsonl", 2, "ProcessPoolExecutor") <= 2 * 2 + 1
