"""A bar and the facts beside it, laid out for any width of terminal."""

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.text import Text

from flyllm._batch.snapshot import BatchProgress
from flyllm._batch.wording import facts_at_end, facts_under_way, line

NARROWEST, WIDEST = 8, 40
"""Columns of the bar; in between it takes a fifth of the terminal."""

GAP = "  "


def bar_under_way(snapshot: BatchProgress) -> RenderableType:
    """Return the bar of a batch that goes on."""
    return Bar(snapshot, facts_under_way(snapshot))


def bar_at_end(snapshot: BatchProgress) -> RenderableType:
    """Return what stays when the batch is over: nothing that looks as if it still moved."""
    facts = facts_at_end(snapshot)
    return Bar(snapshot, facts) if snapshot.total else Text(line(facts))


class Bar:
    """What rich renders: a bar, or a spinner where the total is not known, then facts on as many lines as they need."""

    def __init__(self, snapshot: BatchProgress, facts: Mapping[str, str]) -> None:
        self._snapshot, self._facts = snapshot, facts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        head = self._bar(console, options) if self._snapshot.total else self._spinner(options)
        yield Text("\n").join(_rows([head, *self._pieces()], options.max_width))

    def _bar(self, console: Console, options: ConsoleOptions) -> Text:
        width = min(WIDEST, max(NARROWEST, options.max_width // 5))
        bar = ProgressBar(total=self._snapshot.total, completed=self._snapshot.done, width=width)
        text = Text.assemble(*((part.text, part.style or "") for part in console.render(bar, options)))
        text.truncate(width, pad=True)  # without colours it ends where the full part ends
        return text

    def _spinner(self, options: ConsoleOptions) -> Text:
        spinner = Spinner("line" if options.legacy_windows or options.ascii_only else "dots")
        frame = int(1000 * self._snapshot.elapsed / spinner.interval) % len(spinner.frames)
        return Text(spinner.frames[frame])

    def _pieces(self) -> Iterator[Text]:
        styles = {"done": "bold", "cooling": "yellow", "failed": "red" if self._snapshot.failed else ""}
        for name, text in self._facts.items():
            yield Text(text, styles.get(name, ""))


def _rows(pieces: Iterable[Text], width: int) -> Iterator[Text]:
    """Yield `pieces` side by side, in a further row where one does not fit."""
    row = Text()
    for piece in pieces:
        piece.truncate(width)
        if row and row.cell_len + len(GAP) + piece.cell_len > width:
            yield row
            row = Text()
        row.append(GAP if row else "").append_text(piece)
    yield row
