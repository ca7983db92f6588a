"""A batch's bar on a real terminal: what it leaves there after Ctrl-C and after a kill."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from select import select

import pytest

from tests.public.processes import HANG, ROOT, environment, run
from tests.unit.batch.screen import Screen

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX")

SCRIPT = """
import sys, threading, time
from flyllm._batch.display import display_for
from flyllm._batch.progress import Progress
from flyllm._clock import SystemClock
from flyllm.types import LLMResponse

before = sys.stdout, sys.stderr
progress, display = Progress(SystemClock(), 1_000_000), display_for(True)
try:
    while True:
        progress.begun()
        progress.finished(LLMResponse("ok"))
        if progress.snapshot(0).done % 100 == 1:
            print("result", progress.snapshot(0).done, flush=True)
        display.show(progress.snapshot(8, ("groq",)))
        time.sleep(0.002)
except KeyboardInterrupt:
    display.close(progress.snapshot(8))
print("as before:", (sys.stdout, sys.stderr) == before, threading.active_count(), "threads", flush=True)
"""


class Terminal:
    """A terminal of 80 columns, and what a process has written to it."""

    def __init__(self) -> None:
        import pty
        import termios

        self._master, self.end = pty.openpty()
        termios.tcsetwinsize(self.end, (24, 80))
        self._attributes: Callable[[], object] = lambda: termios.tcgetattr(self.end)
        self._before = self._attributes()
        self.output = ""

    def read_until(self, text: str) -> None:
        """Read until `text` has come, or nothing has for long."""
        while text not in self.output:
            assert select([self._master], [], [], HANG)[0], self.output
            self.output += os.read(self._master, 65536).decode()

    @property
    def as_before(self) -> bool:
        """Whether its settings are those it had."""
        return self._attributes() == self._before

    def close(self) -> None:
        os.close(self._master)
        os.close(self.end)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    opened = Terminal()
    yield opened
    opened.close()


@pytest.fixture
def start() -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    started = list[subprocess.Popen[bytes]]()

    def begin(stdout: int, stderr: int) -> "subprocess.Popen[bytes]":
        command = (sys.executable, "-c", SCRIPT)
        variables = environment(TERM="xterm-256color")
        started.append(subprocess.Popen(command, stdout=stdout, stderr=stderr, cwd=ROOT, env=variables))
        return started[-1]

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate(timeout=HANG)


def test_ctrl_c_leaves_the_terminal_as_it_was(
    terminal: Terminal, start: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    """The bar stays, with all that was printed above it; cursor, settings and streams are as before."""
    process = start(terminal.end, terminal.end)
    terminal.read_until("8 in flight")
    terminal.read_until(f"result {1 + 100 * (2 + terminal.output.count('result'))}")
    process.send_signal(signal.SIGINT)
    terminal.read_until("threads\r\n")
    assert process.wait(timeout=HANG) == 0
    screen = Screen(terminal.output)
    assert screen.cursor_shown
    assert terminal.as_before
    *results, bar, facts, last = screen.rows
    results = list(dict.fromkeys(results))  # rich prints a line again whose printing Ctrl-C has interrupted
    assert results == [f"result {1 + 100 * n}" for n in range(len(results))]
    assert "━" in bar
    assert "1,000,000 done (0 %)" in bar
    assert "8 broken off" in bar + facts
    assert last == "as before: True 1 threads"


def test_a_kill_leaves_a_cursor(terminal: Terminal, start: Callable[..., "subprocess.Popen[bytes]"]) -> None:
    process = start(terminal.end, terminal.end)
    terminal.read_until("8 in flight")
    process.kill()
    process.wait(timeout=HANG)
    assert Screen(terminal.output).cursor_shown
    assert terminal.as_before


def test_results_printed_into_a_pipe_stay_out_of_the_terminal(
    terminal: Terminal, start: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    process = start(subprocess.PIPE, terminal.end)
    terminal.read_until("8 in flight")
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=HANG)
    assert printed.startswith(b"result 1\n")
    assert b"\x1b" not in printed
    terminal.read_until("broken off")
    assert "result" not in terminal.output


def test_lines_go_where_stderr_goes() -> None:
    script = SCRIPT.replace("while True:", "for _ in range(5):").replace("except KeyboardInterrupt:", "finally:")
    done = run(sys.executable, "-c", script, FORCE_COLOR="1")
    assert done.stderr.startswith("flyllm: 5 of 1,000,000 done (0 %), 0 failed, 0 retried, 8 broken off, ")
    assert len(done.stderr.splitlines()) == 1


def test_without_rich_a_batch_is_watched_in_lines(terminal: Terminal) -> None:
    script = "import sys; sys.modules['rich'] = None\n" + SCRIPT.replace("while True:", "for _ in range(5):")
    script = script.replace("except KeyboardInterrupt:", "finally:")
    command = (sys.executable, "-c", script)
    subprocess.run(command, stderr=terminal.end, timeout=HANG, check=True, cwd=ROOT, env=environment())
    terminal.read_until("broken off")
    assert terminal.output.startswith("flyllm: 5 of ")
