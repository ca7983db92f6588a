"""Ctrl-C, `SystemExit` and the end of the process, with hung sockets: back at once, nothing in the way."""

import signal
import sys
import time
from collections.abc import Iterator

import pytest

from flyllm.testing import Fault, ProviderSimulator, SimulatedProvider
from tests.public.processes import HANG, run, start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

PROMPT = 20.0
"""Seconds for what should take a tenth, on a busy machine; the hung sockets would take minutes."""

MANAGER = """
import sys, threading, time
from flyllm import LLMManager

builder = LLMManager.builder().add_instance("openai", "model-1", "k-0123456789abcdef")
manager = builder.custom_endpoint(sys.argv[1]).default_attempt_timeout(300.0).build()
manager.warm()
"""

INTERRUPTED = (
    MANAGER
    + """
began = None
try:
    requests, workers = ["Hi"] * int(sys.argv[2]), int(sys.argv[3])
    manager.batch_generate(requests, max_workers=workers, on_result=lambda index, _: print("got", index, flush=True))
except KeyboardInterrupt as exc:
    results = exc.flyllm_results
    print("interrupted", len(results), sum(r is not None for r in results), threading.active_count(), flush=True)
print("in flight", sum(s.in_flight for s in manager.instances), flush=True)
"""
)


@pytest.fixture
def server() -> Iterator[SimulatedProvider]:
    with ProviderSimulator() as simulator:
        yield simulator["openai"]


def wait_for(condition: object) -> None:
    for _ in range(int(HANG / 0.01)):
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")


def test_one_ctrl_c_ends_a_batch_and_the_process(server: SimulatedProvider) -> None:
    """The caller has what was finished, the threads are gone, nothing more is sent, and the process ends."""
    server.set(fault=Fault.SILENCE)
    server.enqueue("one").then("two").then("three")
    process = start(sys.executable, "-c", INTERRUPTED, server.url, "50", "8")
    wait_for(lambda: len(server.requests) == 11)
    assert process.stdout is not None
    for _ in range(3):
        assert process.stdout.readline().startswith("got")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=HANG)
    assert time.monotonic() - began < PROMPT
    assert out.splitlines() == ["interrupted 50 3 1", "in flight 0"], err
    assert process.returncode == 0
    assert len(server.requests) == 11


def test_requests_that_wait_for_a_place_are_called_off_too(server: SimulatedProvider) -> None:
    """More workers than the instance takes: those that are parked send nothing and hold nothing up."""
    server.set(fault=Fault.SILENCE)
    script = INTERRUPTED.replace('"k-0123456789abcdef")', '"k-0123456789abcdef", max_concurrency=2)')
    process = start(sys.executable, "-c", script, server.url, "50", "8")
    wait_for(lambda: len(server.requests) == 2)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=HANG)
    assert time.monotonic() - began < PROMPT
    assert out.splitlines()[-1] == "in flight 0", err
    assert len(server.requests) == 2


def test_requests_that_back_off_are_called_off_too(server: SimulatedProvider) -> None:
    """Asked to wait for minutes, they end with the batch."""
    server.set(status=429, retry_after=200)
    process = start(sys.executable, "-c", INTERRUPTED, server.url, "6", "3")
    wait_for(lambda: len(server.requests) >= 1)
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=HANG)
    assert time.monotonic() - began < PROMPT
    assert "in flight 0" in out, err
    assert len(server.requests) <= 3  # one for each worker


def test_sigterm_turned_into_system_exit_is_the_same(server: SimulatedProvider) -> None:
    """As servers do it."""
    server.set(fault=Fault.BLACKHOLE)
    script = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n" + INTERRUPTED
    process = start(sys.executable, "-c", script, server.url, "20", "4")
    wait_for(lambda: server.connections >= 4)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=HANG)
    assert time.monotonic() - began < PROMPT
    assert process.returncode == 7


EXIT = (
    MANAGER
    + """
stream = manager.generate_stream("first")
thread = threading.Thread(target=lambda: manager.batch_generate(["Hi"] * 30, max_workers=10), daemon=True)
thread.start()
while sum(s.in_flight for s in manager.instances) < 11:
    time.sleep(0.01)
time.sleep(0.2)
print("exiting", flush=True)
"""
)


def test_the_process_exits_without_close(server: SimulatedProvider) -> None:
    """Although a daemon thread's batch hangs on ten sockets, and a stream is open."""
    server.set(fault=Fault.SILENCE)
    server.enqueue("one two three")
    process = start(sys.executable, "-c", EXIT, server.url)
    assert process.stdout is not None
    assert process.stdout.readline() == "exiting\n"
    began = time.monotonic()
    _, err = process.communicate(timeout=HANG)
    assert time.monotonic() - began < PROMPT
    assert process.returncode == 0, err


AT_EXIT = (
    MANAGER
    + """
import atexit
atexit.register(manager.close)
def hang():
    manager.generate_sequentially(["Hi"])
for _ in range(4):
    threading.Thread(target=hang, daemon=True).start()
while sum(s.in_flight for s in manager.instances) < 4:
    time.sleep(0.01)
time.sleep(0.2)
print("exiting", flush=True)
"""
)


def test_close_may_run_at_exit(server: SimulatedProvider) -> None:
    """It starts no thread, which the interpreter would refuse by then, and waits no longer than its grace."""
    server.set(fault=Fault.SILENCE)
    process = start(sys.executable, "-c", AT_EXIT.replace("manager.close)", "manager.close, 0.2)"), server.url)
    assert process.stdout is not None
    assert process.stdout.readline() == "exiting\n"
    began = time.monotonic()
    _, err = process.communicate(timeout=HANG)
    assert time.monotonic() - began < PROMPT
    assert "Traceback" not in err
    assert process.returncode == 0


FINISHES = (
    MANAGER
    + """
def work():
    results = manager.batch_generate(["Hi"] * 8, max_workers=4)
    print(sum(r.success for r in results), flush=True)
threading.Thread(target=work).start()
"""
)


def test_a_batch_of_a_thread_that_the_process_waits_for_is_finished(server: SimulatedProvider) -> None:
    """A thread that is no daemon holds the process, as everywhere; its batch is not cut."""
    server.set(latency=0.3)
    done = run(sys.executable, "-c", FINISHES, server.url)
    assert done.stdout == "8\n", done.stderr


LATE = (
    MANAGER
    + """
def work():
    threading.main_thread().join()
    print(sum(r.success for r in manager.batch_generate(["Hi"] * 3)), flush=True)
threading.Thread(target=work).start()
"""
)


def test_a_batch_may_begin_after_the_main_thread_has_ended(server: SimulatedProvider) -> None:
    """Executors take no more work by then: the thread does it itself."""
    done = run(sys.executable, "-c", LATE, server.url)
    assert done.stdout == "3\n", done.stderr
