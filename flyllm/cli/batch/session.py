"""One run of `flyllm batch`, from its files to its exit code."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flyllm.cli.batch.course import Course
from flyllm.cli.batch.interrupts import Interrupts
from flyllm.cli.batch.output import Output
from flyllm.cli.batch.places import Places, prepare
from flyllm.cli.batch.source import Reading, Source, open_source
from flyllm.cli.batch.tally import Tally
from flyllm.cli.batch.watched import Watched
from flyllm.cli.configuration import configuration
from flyllm.cli.exit_codes import ALL, INTERRUPTED, PARTIAL
from flyllm.config.model import ManagerConfig
from flyllm.errors import LLMError
from flyllm.manager import LLMManager


@dataclass(frozen=True, slots=True)
class Session:
    """What the command line asks for. `source` is the input's path, `options` are arguments of `batch_iter`."""

    source: str
    reading: Reading
    config: Path | None
    places: Places
    resume: bool
    force: bool
    strict: bool
    shown: bool
    options: dict[str, Any]

    def run(self) -> int:
        """Run the batch; return the exit code. Raises ConfigError before anything is sent, LLMError afterwards."""
        config = configuration(self.config, self.reading.defaults.task)
        with open_source(self.source, self.reading) as source:
            prepare(self.places, self.source, resume=self.resume, force=self.force)
            return self._run(config, source)

    def _run(self, config: ManagerConfig, source: Source) -> int:
        tally, watched = Tally(), Watched(shown=self.shown)
        course = Course(source, self.strict, self.shown, {**self.options, "progress": watched})
        try:
            with Interrupts() as interrupts, LLMManager(config) as manager:
                manager.warm()  # what is not installed is told before anything is sent
                with Output(self.places.output, source.head) as output, watched:
                    course.run(manager, output, tally, interrupts)
            code = tally.code
        except BrokenPipeError:  # the reader of stdout has seen enough, and is told nothing
            return PARTIAL
        except KeyboardInterrupt:
            _print("interrupted")
            code = INTERRUPTED
        except LLMError:
            if watched.last.done:
                self._tell(tally, watched, source.name, broken_off=True)
            raise
        self._tell(tally, watched, source.name, broken_off=code == INTERRUPTED)
        return code

    def _tell(self, tally: Tally, watched: Watched, name: str, *, broken_off: bool) -> None:
        for line in tally.lines(watched.last, name):
            _print(line)
        if (broken_off or tally.code != ALL) and self.places.journal is not None:
            how = "again" if self.resume else "with --resume"
            _print(f"run the same command {how} to send only what has no answer yet")


def _print(line: str) -> None:
    print(f"flyllm: {line}", file=sys.stderr)
