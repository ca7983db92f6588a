"""Where progress is shown, how often, and that no failure of it reaches the batch."""

import io
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flyllm._batch import display as displays
from flyllm._batch.display import Display, display_for
from flyllm._batch.lines import Lines
from flyllm._batch.notebook import Notebook, notebook_display
from flyllm._batch.progress import Progress
from flyllm._batch.snapshot import BatchProgress
from flyllm._batch.terminal import Terminal
from flyllm.errors import ConfigError
from flyllm.types import LLMResponse
from tests.unit.fakes import ManualClock

START = BatchProgress(done=0, total=100)
END = BatchProgress(done=100, total=100, elapsed=50.0)


def at(seconds: float, done: int = 0, total: int | None = 100) -> BatchProgress:
    return BatchProgress(done=done, total=total, elapsed=seconds)


class Terminaloid(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    """A stderr whose reader is gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def replaced(stream: Any) -> Any:
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return replaced


def surface(display: Display) -> Any:
    return display._surface


def test_a_terminal_gets_a_bar(stderr: Callable[[Any], Any]) -> None:
    stderr(Terminaloid())
    assert isinstance(surface(display_for(True)), Terminal)


@pytest.mark.parametrize("stream", [None, io.StringIO(), Broken()])
def test_what_is_no_terminal_gets_lines(stderr: Callable[[Any], Any], stream: Any) -> None:
    stderr(stream)
    assert isinstance(surface(display_for(True)), Lines)


def test_a_closed_stderr_is_no_terminal(stderr: Callable[[Any], Any]) -> None:
    stderr(Terminaloid()).close()
    stderr(io.StringIO()).close()
    display = display_for(True)
    display.show(at(20))
    display.close(END)
    assert isinstance(surface(display), Lines)


def test_a_dumb_terminal_gets_lines(stderr: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    stderr(Terminaloid())
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(surface(display_for(True)), Lines)


def test_forced_colours_make_no_terminal_of_a_log(
    stderr: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr(io.StringIO())
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert isinstance(surface(display_for(True)), Lines)


def test_without_rich_there_are_lines(stderr: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    stderr(Terminaloid())
    monkeypatch.setitem(sys.modules, "flyllm._batch.terminal", None)
    assert isinstance(surface(display_for(True)), Lines)


@pytest.mark.parametrize("progress", [False, None])
def test_nothing_is_shown_unless_asked_for(progress: bool | None, capsys: pytest.CaptureFixture[str]) -> None:
    display = display_for(progress)
    assert not display.due(1e9)
    display.show(at(20))
    display.close(END)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("progress", ["bar", 1, object()])
def test_anything_else_is_a_fault(progress: Any) -> None:
    with pytest.raises(ConfigError, match="progress must be True, False or a function"):
        display_for(progress)


def test_a_function_is_called_four_times_a_second_and_at_the_end() -> None:
    """With the counts of a clock moved by hand, a hundred responses a second."""
    clock, seen = ManualClock(), list[BatchProgress]()
    progress, display = Progress(clock, 200), display_for(seen.append)
    for _ in range(200):
        clock.advance(0.01)
        progress.begun()
        progress.finished(LLMResponse("ok"))
        display.show(progress.snapshot(0))
    display.close(progress.snapshot(0))
    assert len(seen) in (9, 10)
    assert seen[0].done == 1
    assert seen[1].done in (26, 27)
    assert seen[-1].done == 200


def test_a_snapshot_that_would_not_be_drawn_need_not_be_taken() -> None:
    display = display_for(lambda _: None)
    assert display.due(0.0)
    display.show(START)
    assert not display.due(0.2)
    assert display.due(0.25)


def test_nothing_is_drawn_after_the_end_nor_the_end_twice() -> None:
    seen = list[BatchProgress]()
    display = display_for(seen.append)
    display.close(END)
    display.show(at(60))
    display.close(END)
    assert seen == [END]


def test_a_function_that_fails_is_logged_once_and_called_further(caplog: pytest.LogCaptureFixture) -> None:
    calls = list[BatchProgress]()

    def fail(snapshot: BatchProgress) -> None:
        calls.append(snapshot)
        raise ValueError("mine")

    display = display_for(fail)
    for second in range(5):
        display.show(at(second))
    display.close(END)
    assert len(calls) == 6
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "ValueError: mine" in caplog.text


def test_ctrl_c_within_a_function_is_not_held_up() -> None:
    def interrupt(_: BatchProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        display_for(interrupt).show(START)


# Lines.


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[list[BatchProgress]], list[str]]:
    def written(snapshots: list[BatchProgress]) -> list[str]:
        display = Display(Lines())
        for snapshot in snapshots:
            display.show(snapshot)
        return capsys.readouterr().err.splitlines()

    return written


def test_lines_come_every_ten_seconds(lines: Callable[[list[BatchProgress]], list[str]]) -> None:
    written = lines([at(tenth / 10, done=tenth, total=None) for tenth in range(600)])
    assert len(written) == 5
    assert written[0] == "flyllm: 100 done, 0 failed, 0 retried, 0 in flight, 0/s"


def test_lines_come_at_each_tenth_of_a_known_total(lines: Callable[[list[BatchProgress]], list[str]]) -> None:
    written = lines([at(second / 10, done=second, total=200) for second in range(200)])
    assert [line.split()[1] for line in written] == [str(done) for done in range(20, 200, 20)]


def test_a_fast_batch_does_not_write_ten_lines_within_a_second(
    lines: Callable[[list[BatchProgress]], list[str]],
) -> None:
    assert len(lines([at(done / 100, done=done) for done in range(100)])) == 0
    assert len(lines([at(done / 50, done=done) for done in range(100)])) == 1


def test_a_night_writes_some_hundred_lines(lines: Callable[[list[BatchProgress]], list[str]]) -> None:
    written = lines([at(second, done=second, total=None) for second in range(8 * 3600)])
    assert 300 < len(written) < 600


def test_the_end_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(Lines())
    display.close(replace(END, failed=2))
    assert capsys.readouterr().err == "flyllm: 100 of 100 done (100 %), 2 failed, 0 retried, 2.0/s, in 50s\n"


@pytest.mark.parametrize("stream", [None, Broken()])
def test_lines_without_a_reader_are_lost_and_nothing_else(
    stderr: Callable[[Any], Any], stream: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stderr(stream)
    display = Display(Lines())
    display.show(at(20))
    display.close(END)
    assert caplog.text == ""


# A notebook.


class Output:
    """IPython's display, with the handle that it returns."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, dict[str, str]]] = []

    def __call__(self, content: dict[str, str], *, raw: bool, display_id: bool) -> "Output":
        assert raw
        assert display_id
        self.shown.append(("new", content))
        return self

    def update(self, content: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(("update", content))


def test_a_notebook_has_one_output_that_is_updated() -> None:
    output = Output()
    display = Display(Notebook(output))
    for tenth in range(20):
        display.show(replace(at(tenth / 10, done=tenth), cooling=("<b>",)))
    display.close(END)
    kinds, contents = zip(*output.shown, strict=True)
    assert kinds == ("new", "update", "update", "update", "update", "update")
    assert '<progress value="5" max="100"' in contents[0]["text/html"]
    assert "&lt;b&gt;" in contents[0]["text/html"]
    assert contents[-1]["text/plain"] == "flyllm: 100 of 100 done (100 %), 0 failed, 0 retried, 2.0/s, in 50s"
    assert "<progress" not in contents[-1]["text/html"]


def test_a_notebook_without_a_total_shows_that_something_moves() -> None:
    output = Output()
    Notebook(output).draw(at(1, total=None))
    assert "<progress style" in output.shown[0][1]["text/html"]


def test_no_notebook_is_found_outside_of_one() -> None:
    assert notebook_display() is None


def test_a_notebook_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output()
    monkeypatch.setattr(displays, "notebook_display", lambda: output)
    assert isinstance(surface(display_for(True)), Notebook)
