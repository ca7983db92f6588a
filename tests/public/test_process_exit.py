"""Fault matrix, rows 54, 55 and 59: processes that end without close(), with sockets that hang, or that lack something.

What Ctrl-C, SIGTERM handlers and non-daemon threads do is in `test_process_interrupt`; `print` shows what it took.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from flyllm.testing import Fault, ProviderSimulator, SimulatedProvider, stall
from tests.public.processes import HANG, ROOT, environment, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")

SOON = 20.0
"""Seconds for what should take less than one, on a busy machine; the hung sockets would take minutes."""

MANAGER = """
import json, os, signal, sys, threading
from flyllm import LLMManager

signal.alarm(150)
builder = LLMManager.builder().add_instance("openai", "model-1", "k-0123456789abcdef", max_concurrency=8)
manager = builder.custom_endpoint(sys.argv[1]).default_attempt_timeout(300.0).build()
manager.warm()
PROMPTS = ["Hi"] * 30

def tell(**facts):
    print(json.dumps(facts), flush=True)

def told_to_go_on():
    return sys.stdin.readline()

def daemon(work, *args):
    threading.Thread(target=work, args=args, daemon=True).start()

def kinds(results):
    found = [type(r.error).__name__ if r else "nothing" for r in results]
    return {kind: found.count(kind) for kind in found}
"""


@pytest.fixture
def server() -> Iterator[SimulatedProvider]:
    with ProviderSimulator() as simulator:
        yield simulator["openai"].set(fault=Fault.SILENCE)


def begun(server: SimulatedProvider, script: str, requests: int) -> "subprocess.Popen[str]":
    """Start a script and return once the server has read so many of its requests."""
    process = subprocess.Popen(
        (sys.executable, "-c", MANAGER + script, server.url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
    )
    if not server.wait_for(lambda s: s.count >= requests, timeout=HANG / 2):
        process.kill()
        pytest.fail(f"{server.count} requests instead of {requests}: {process.communicate()}")
    return process


def end(process: "subprocess.Popen[str]", status: int = 0) -> tuple[list[dict[str, Any]], str]:
    """Let it go on and wait for the end, which must come soon; return what it told, and stderr."""
    began = time.monotonic()
    out, err = process.communicate(timeout=HANG)
    took = time.monotonic() - began
    print(f"the end came after {took:.2f} s")
    assert took < SOON
    assert process.returncode == status, err
    return [json.loads(line) for line in out.splitlines()], err


# ---- nobody closes


HUNG = {
    "idle": ("", 0),
    "used": ("manager.generate('Hi')", 1),
    "batch": ("daemon(manager.batch_generate, PROMPTS)", 8),
    "calls": ("for _ in range(4): daemon(manager.generate, 'Hi')", 4),
    "stream": ("stream = manager.generate_stream('Hi')", 1),
    "stream being read": ("daemon(list, manager.generate_stream('Hi'))", 1),
}
"""What a process is at when its main thread ends, and how many requests that sends."""


@pytest.mark.parametrize("hung", HUNG)
def test_the_main_thread_ends(server: SimulatedProvider, hung: str) -> None:
    """The process ends at once, and says nothing of what it left."""
    script, requests = HUNG[hung]
    if hung == "used":
        server.set(fault=None)
    if hung.startswith("stream"):
        server.set(reply="one two three four", fault=stall(2))
    facts, err = end(begun(server, f"{script}\ntold_to_go_on()\n", requests))
    assert (facts, err) == ([], "")


def test_the_main_thread_ends_by_an_exception_nobody_handles(server: SimulatedProvider) -> None:
    """Its traceback is all there is to see, and the status is 1."""
    script = "daemon(manager.batch_generate, PROMPTS)\ntold_to_go_on()\nraise ZeroDivisionError('at the end')\n"
    _, err = end(begun(server, script, 8), status=1)
    assert err.count("Traceback") == 1
    assert err.endswith("ZeroDivisionError: at the end\n")


def test_the_callback_of_a_batch_leaves(server: SimulatedProvider) -> None:
    """`sys.exit` in `on_result` ends the batch, hung sockets and all, and the process with its status."""
    server.enqueue("one")
    script = """
def on_result(index, _):
    told_to_go_on()
    sys.exit(7)
try:
    manager.batch_generate(PROMPTS, on_result=on_result)
except SystemExit as exc:
    results = exc.flyllm_results
    tell(results=len(results), answers=sum(r is not None and r.success for r in results))
    raise
"""
    facts, _ = end(begun(server, script, 9), status=7)
    assert facts == [{"results": 30, "answers": 1}]
    assert server.count == 9


# ---- signals

MAIN = {
    "batch": ("manager.batch_generate(PROMPTS)", 8),
    "call": ("manager.generate('Hi')", 1),
    "stream": ("list(manager.generate_stream('Hi'))", 1),
}
"""What the main thread is at, and how many requests that sends."""


@pytest.mark.parametrize("work", MAIN)
def test_sigterm_that_nobody_handles(server: SimulatedProvider, work: str) -> None:
    """It kills the process as any other."""
    script, requests = MAIN[work]
    process = begun(server, script, requests)
    process.send_signal(signal.SIGTERM)
    end(process, status=-signal.SIGTERM)


@pytest.mark.parametrize("work", ["call", "stream"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_ends_what_the_main_thread_waits_for(server: SimulatedProvider, work: str, number: int) -> None:
    """The exception comes through as it is; nothing is in flight then, nothing is sent again, and a call works."""
    script, requests = MAIN[work]
    if work == "stream":
        server.set(reply="one two three four", fault=stall(2))
    process = begun(
        server,
        f"""
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
try:
    {script}
except (KeyboardInterrupt, SystemExit) as exc:
    tell(raised=type(exc).__name__, in_flight=sum(s.in_flight for s in manager.instances))
told_to_go_on()
tell(works=manager.generate("Hi").success)
""",
        requests,
    )
    server.set(fault=None)
    process.send_signal(number)
    facts, _ = end(process)
    raised = "KeyboardInterrupt" if number == signal.SIGINT else "SystemExit"
    assert facts == [{"raised": raised, "in_flight": 0}, {"works": True}]
    assert server.count == requests + 1


# ---- closing


def test_close_from_a_thread_and_again_while_a_batch_hangs(server: SimulatedProvider) -> None:
    """Every item has its answer or `ManagerClosedError`, within the grace; both closes return, and the process ends."""
    server.enqueue("one", times=3)
    script = """
def close():
    told_to_go_on()
    daemon(manager.close, 0.2)
    manager.close(0.2)
    tell(closed=True)
closer = threading.Thread(target=close)
closer.start()
tell(**kinds(manager.batch_generate(PROMPTS)))
closer.join()
manager.close()
"""
    facts, err = end(begun(server, script, 11))
    assert {"closed": True} in facts
    assert {"NoneType": 3, "ManagerClosedError": 27} in facts
    assert err == ""
    assert server.count == 11


def test_close_from_the_callback_while_a_batch_hangs(server: SimulatedProvider) -> None:
    """Likewise, and the callback still hears of every item."""
    server.enqueue("one")
    script = """
heard = []
def on_result(index, _):
    heard.append(index)
    if len(heard) == 1:
        told_to_go_on()
    manager.close(0.2)
tell(**kinds(manager.batch_generate(PROMPTS, on_result=on_result)))
tell(heard=len(set(heard)))
"""
    facts, _ = end(begun(server, script, 9))
    assert facts == [{"NoneType": 1, "ManagerClosedError": 29}, {"heard": 30}]
    assert server.count == 9


# ---- too little of something


def lacking(server: SimulatedProvider, script: str) -> list[dict[str, Any]]:
    """Run a script against a server that answers; return what it told, once without and once with what was lacking."""
    server.set(fault=None, latency=0.01)
    began = time.monotonic()
    done = run(sys.executable, "-c", MANAGER + script, server.url)
    print(f"it took {time.monotonic() - began:.2f} s; stderr: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("free", [0, 3])
def test_no_more_files(server: SimulatedProvider, free: int) -> None:
    """Every item that was tried has its answer or is told that this process lacks a file; then all is as before."""
    facts = lacking(
        server,
        f"""
import resource
open_files = max(map(int, os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")))
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (open_files + {free}, hard))
results = manager.batch_generate(PROMPTS, deadline=3.0)
failed = {{str(r.error) for r in results if r.attempts and not r.success}}
tell(results=len(results), others=[text for text in failed if "open files" not in text])
tell(tried=any(r.attempts for r in results))
tell(**kinds(results))
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
tell(**kinds(manager.batch_generate(PROMPTS)))
tell(closed=[s.in_flight for s in manager.instances])
""",
    )
    assert facts[:2] == [{"results": 30, "others": []}, {"tried": True}]
    # On a slow machine the deadline may pass during an attempt; its error then says what that one lacked.
    assert facts[2].keys() <= {"RequestError", "DeadlineExceededError", *(["NoneType"] if free else [])}
    assert facts[3:] == [{"NoneType": 30}, {"closed": [0]}]


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS does nothing elsewhere")
@pytest.mark.parametrize("free", [0, 2])
def test_no_more_threads(server: SimulatedProvider, free: int) -> None:
    """Threads that need more memory than there is cannot start: a batch runs on those it has, or the caller's."""
    facts = lacking(
        server,
        f"""
import resource
manager.generate("Hi")
threading.stack_size(256 << 20)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
before = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20) + {free} * (264 << 20), before[1]))
try:
    threading.Thread(target=print).start() if not {free} else None
except RuntimeError as exc:
    tell(lacking=str(exc))
with manager.generate_stream("Hi") if {free} else __import__("contextlib").nullcontext([]) as stream:
    list(stream)
tell(**kinds(manager.batch_generate(PROMPTS)))
resource.setrlimit(resource.RLIMIT_AS, before)
threading.stack_size(0)
tell(**kinds(manager.batch_generate(PROMPTS)))
""",
    )
    assert facts[-2:] == [{"NoneType": 30}] * 2
    assert ({"lacking": "can't start new thread"} in facts) is (free == 0)


@pytest.mark.parametrize("exception", ["MemoryError", "RecursionError"])
def test_no_memory_in_the_callback(server: SimulatedProvider, exception: str) -> None:
    """It costs no answer and no place."""
    facts = lacking(
        server,
        f"""
def on_result(*_):
    raise {exception}
tell(**kinds(manager.batch_generate(PROMPTS, on_result=on_result)))
tell(in_flight=[s.in_flight for s in manager.instances], threads=threading.active_count())
""",
    )
    assert facts == [{"NoneType": 30}, {"in_flight": [0], "threads": 1}]
    assert server.count == 30


def test_no_memory_in_the_workers(server: SimulatedProvider) -> None:
    """What an observer lacks costs no answer; where a request itself lacks it, that one is told so, in its place."""
    facts = lacking(
        server,
        """
class Scarce(str):
    def __len__(self):
        raise MemoryError
prompts = ["Hi"] * 10 + [Scarce("Hi")] + ["Hi"] * 10
results = manager.batch_generate(prompts)
tell(failed=[i for i, r in enumerate(results) if not r.success], in_flight=[s.in_flight for s in manager.instances])
""",
    )
    assert facts == [{"failed": [10], "in_flight": [0]}]
