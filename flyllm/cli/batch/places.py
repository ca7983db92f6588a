"""Where results and journal go, and what is refused rather than overwritten."""

import os
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass

from flyllm._batch.journal_file import JournalFile
from flyllm.errors import ConfigError

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class Places:
    """The files of a batch: `output` None for stdout, `journal` None for none."""

    output: str | None
    journal: str | None

    @property
    def on_terminal(self) -> bool:
        """Whether results are printed where progress would be."""
        return self.output is None and sys.stdout.isatty()


def places_for(output: str | None, journal: str | None) -> Places:
    """Return the places for what the command line says. A file of results has a journal beside it."""
    if output in (None, STDOUT):
        return Places(None, journal)
    return Places(output, journal or (f"{output}.journal" if _is_file_or_nothing(output) else None))


def prepare(places: Places, source: str, *, resume: bool, force: bool) -> None:
    """Refuse what would destroy results, or the input; with `force` forget what an earlier run recorded.

    Raises ConfigError.
    """
    _refuse_same_files(places, source)
    if resume and _has_results(places.output) and not _is_there(places.journal):
        raise ConfigError(
            f"'{places.output}' holds results, and there is no journal '{places.journal}' to resume from\n"
            "  → Name its journal with --journal, or begin anew with --force in place of --resume"
        )
    if not resume and not force:
        _refuse_results(places)
    if force and places.journal is not None and _is_there(places.journal):
        file = JournalFile.open(places.journal)  # refuses what is no journal, or in use
        try:
            file.cut(0)
        finally:
            file.close()


def _refuse_results(places: Places) -> None:
    found = [path for path in (places.output, places.journal) if path is not None and _has_results(path)]
    # A journal begins with a line that says what it is.
    found = [path for path in found if path != places.journal or _lines_at_least(path, 2)]
    if not found:
        return
    raise ConfigError(
        f"'{found[0]}' holds results of an earlier run\n"
        "  → Go on from them with --resume, or begin anew with --force, which overwrites them"
    )


def _refuse_same_files(places: Places, source: str) -> None:
    named = {"input": source, "output": places.output, "journal": places.journal}
    paths = [(what, path) for what, path in named.items() if path is not None]
    for n, (what, path) in enumerate(paths):
        for other, same in paths[:n]:
            if _is_same(path, same):
                raise ConfigError(f"The {other} and the {what} are the same file, '{path}'")


def _is_same(path: str, other: str) -> bool:
    with suppress(OSError):
        return stat.S_ISREG(os.stat(path).st_mode) and os.path.samefile(path, other)
    return os.path.abspath(path) == os.path.abspath(other)


def _is_there(path: str | None) -> bool:
    return path is not None and os.path.exists(path)


def _has_results(path: str | None) -> bool:
    return path is not None and os.path.isfile(path) and os.path.getsize(path) > 0


def _lines_at_least(path: str, lines: int) -> bool:
    with open(path, "rb") as file:
        return all(file.readline() for _ in range(lines))


def _is_file_or_nothing(path: str) -> bool:
    return os.path.isfile(path) or not os.path.exists(path)
