"""The bar on a terminal: what it says at any width, and what it does to the output of others."""

import io
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console, RenderableType

from flyllm._batch import terminal
from flyllm._batch.bar import bar_at_end, bar_under_way
from flyllm._batch.display import Display, display_for
from flyllm._batch.snapshot import BatchProgress
from tests.unit.batch.screen import Screen

UNDER_WAY = BatchProgress(
    done=1200,
    failed=3,
    retried=41,
    in_flight=64,
    total=5000,
    tokens=1_182_400,
    cost=0.42,
    rate=38.1,
    eta=100.0,
    elapsed=30.0,
    cooling=("groq/llama", "mistral/large", "x", "y", "z"),
)
WIDTHS = (1, 8, 20, 60, 100, 200)


def rendered(bar: RenderableType, width: int, **options: Any) -> list[str]:
    file = io.StringIO()
    Console(file=file, force_terminal=True, width=width, soft_wrap=True, **options).print(bar)
    return Screen(file.getvalue()).rows


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("total", [5000, None])
def test_the_bar_stays_within_the_terminal(width: int, total: int | None) -> None:
    rows = rendered(bar_under_way(replace(UNDER_WAY, total=total)), width)
    assert max(map(len, rows)) <= width


@pytest.mark.parametrize(("width", "height"), [(60, 3), (100, 2), (200, 1)])
def test_the_bar_says_everything_in_as_few_rows_as_it_takes(width: int, height: int) -> None:
    rows = rendered(bar_under_way(UNDER_WAY), width)
    assert len(rows) == height
    text = "  ".join(rows)
    for fact in ("1,200 of 5,000 done (24 %)", "3 failed", "41 retried", "64 in flight", "1.2M tokens", "$0.42"):
        assert f"  {fact}  " in text
    assert text.endswith("  38.1/s  1m 40s left  cooling: groq/llama, mistral/large, +3")


@pytest.mark.parametrize("done", [0, 2500, 5000])
def test_the_bar_is_as_full_as_the_batch(done: int) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=200, no_color=True)
    console.print(bar_under_way(replace(UNDER_WAY, done=done)))
    assert file.getvalue().count("━") == 40 * done // 5000


def test_without_a_total_there_is_a_spinner_that_moves() -> None:
    snapshot = replace(UNDER_WAY, total=None, eta=None)
    frames = {rendered(bar_under_way(replace(snapshot, elapsed=tenth / 10)), 200)[0][0] for tenth in range(10)}
    assert len(frames) > 5
    (row,) = rendered(bar_under_way(snapshot), 200)
    assert "%" not in row
    assert "left" not in row
    assert "━" not in row


@pytest.mark.parametrize("total", [5000, None])
def test_what_stays_at_the_end_says_how_long_it_took(total: int | None) -> None:
    text = " ".join(rendered(bar_at_end(replace(UNDER_WAY, total=total)), 60))
    assert text.endswith("64 broken off  1.2M tokens  $0.42  40.0/s in 30s" if total else "40.0/s, in 30s")


def test_brackets_in_a_name_are_no_markup() -> None:
    (row,) = rendered(bar_under_way(replace(UNDER_WAY, cooling=("[red]a[/]",))), 200)
    assert row.endswith("cooling: [red]a[/]")


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    file = io.StringIO()
    Console(file=file, force_terminal=True, width=100).print(bar_under_way(UNDER_WAY))
    assert "\x1b[3" not in file.getvalue()
    assert "\x1b[9" not in file.getvalue()


# On the terminal.


class Tty(io.StringIO):
    """A terminal that keeps what was written to it."""

    broken = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.broken:
            raise BrokenPipeError
        return super().write(text)


@pytest.fixture
def tty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tty]:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "30")
    yield Tty()
    assert not terminal._bottom.locked()


def bar_on(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> Display:
    """Return a display on `tty`. Called by the test itself: pytest sets the streams anew after its fixtures."""
    monkeypatch.setattr(sys, "stderr", tty)
    monkeypatch.setattr(sys, "stdout", tty)
    return display_for(True)


def at(seconds: float, **changes: Any) -> BatchProgress:
    return replace(UNDER_WAY, elapsed=seconds, cooling=(), **changes)


def test_a_bar_is_drawn_in_place_and_stays_at_the_end(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    display = bar_on(tty, monkeypatch)
    for tenth in range(100):
        display.show(at(tenth / 10, done=tenth))
    display.show(replace(at(11), cooling=("groq",)))
    display.show(at(12))
    display.close(at(12.5, in_flight=0, done=5000))
    screen = Screen(tty.getvalue())
    assert screen.rows[0].endswith("5,000 of 5,000 done (100 %)  3 failed")
    assert screen.rows[1:] == ["41 retried  1.2M tokens  $0.42  400/s  in 12s"]
    assert tty.getvalue().endswith("\n")


def test_the_cursor_is_never_hidden(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is there after a kill, too."""
    display = bar_on(tty, monkeypatch)
    display.show(at(1))
    assert "\x1b[?25l" not in tty.getvalue()
    display.close(at(2))


def test_no_thread_draws(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()
    display = bar_on(tty, monkeypatch)
    display.show(at(1))
    assert threading.active_count() == before
    display.close(at(2))
    drawn = tty.getvalue()
    display.show(at(3))
    assert tty.getvalue() == drawn


def test_a_bar_is_drawn_ten_times_a_second_at_most(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    display = bar_on(tty, monkeypatch)
    for hundredth in range(50, 250):
        display.show(at(hundredth / 100, done=hundredth))
    assert 15 <= tty.getvalue().count("done") <= 21
    display.close(at(3))


def test_a_batch_that_is_over_at_once_is_a_line_without_a_flicker(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    display = bar_on(tty, monkeypatch)
    display.show(at(0.1))
    display.show(at(0.4))
    display.close(BatchProgress(done=4, total=4, elapsed=0.4))
    assert tty.getvalue() == "flyllm: 4 of 4 done (100 %), 0 failed, 0 retried, 10.0/s, in 0s\n"


def test_prints_and_logs_of_others_appear_above_the_bar(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once and whole, those of handlers made before included, and long lines unbroken."""
    handler = logging.StreamHandler(tty)
    logging.getLogger().addHandler(handler)
    display, long = bar_on(tty, monkeypatch), "word " * 20 + "end"
    try:
        for second in range(1, 6):
            display.show(at(second))
            print("printed", second)
            print("told", second, file=sys.stderr)
            logging.getLogger("mine").warning("logged %d", second)
        print(long)
        print("[red]unfinished[/]", end="")
        display.close(at(6))
    finally:
        logging.getLogger().removeHandler(handler)
    print("after")
    assert (handler.stream, sys.stdout, sys.stderr) == (tty, tty, tty)
    rows = Screen(tty.getvalue()).rows
    assert rows[:15] == [f"{word} {n}" for n in range(1, 6) for word in ("printed", "told", "logged")]
    assert rows[15:17] == [long, "[red]unfinished[/]"]
    assert rows[17].endswith("1,200 of 5,000 done (24 %)  3 failed")
    assert rows[-1] == "after"
    assert len(rows) == 20


def test_prints_into_a_file_stay_in_the_file(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    file, display = io.StringIO(), bar_on(tty, monkeypatch)
    monkeypatch.setattr(sys, "stdout", file)
    display.show(at(1))
    print("a result")
    display.close(at(2))
    assert file.getvalue() == "a result\n"
    assert "a result" not in tty.getvalue()


def test_a_second_batch_at_the_same_time_writes_lines_above_the_bar_of_the_first(
    tty: Tty, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = bar_on(tty, monkeypatch), display_for(True)
    first.show(at(1))
    second.show(at(20, total=77))
    second.close(at(21, total=77))
    first.close(at(2))
    rows = Screen(tty.getvalue()).rows
    assert [row.startswith("flyllm: 1,200 of 77") for row in rows[:2]] == [True, True]
    assert rows[2].endswith("1,200 of 5,000 done (24 %)  3 failed")
    assert len(rows) == 4


def test_the_next_batch_has_a_bar_again(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        display = bar_on(tty, monkeypatch)
        display.show(at(1))
        display.close(at(2))
    assert len([row for row in Screen(tty.getvalue()).rows if "━" in row]) == 2


def test_a_terminal_that_breaks_costs_nothing(
    tty: Tty, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """rich itself would end the process."""
    display = bar_on(tty, monkeypatch)
    display.show(at(1))
    tty.broken = True
    display.show(at(2))
    print("lost")
    display.close(at(3))
    tty.broken = False
    assert caplog.text == ""


def test_a_bar_that_cannot_be_drawn_is_logged_and_let_go(
    tty: Tty, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: BatchProgress) -> RenderableType:
        raise ValueError("no bar")

    monkeypatch.setattr(terminal, "bar_under_way", fail)
    monkeypatch.setattr(terminal, "bar_at_end", fail)
    display = bar_on(tty, monkeypatch)
    for second in range(1, 5):
        display.show(at(second))
    display.close(at(5))
    assert caplog.text.count("ValueError: no bar") == 1


def test_ctrl_c_while_the_bar_is_drawn_lets_go_of_the_terminal(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: BatchProgress) -> RenderableType:
        raise KeyboardInterrupt

    display = bar_on(tty, monkeypatch)
    display.show(at(1))
    monkeypatch.setattr(terminal, "bar_under_way", interrupt)
    with pytest.raises(KeyboardInterrupt):
        display.show(at(2))
    monkeypatch.setattr(terminal, "bar_under_way", bar_under_way)
    display.close(at(3))
