"""What there is to tell about a run with a journal, once it is over."""

import logging
from dataclasses import dataclass, field

logger = logging.getLogger("flyllm.batch")

_FEW = 5


class Few:
    """The first few of many things, as text: "a, b, c and 9 more"."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def add(self, thing: object) -> None:
        """Count one more, and keep its name while there are few."""
        self.count += 1
        if len(self._first) < _FEW:
            self._first.append(str(thing)[:80])

    def __str__(self) -> str:
        more = self.count - len(self._first)
        return ", ".join(self._first) + (f" and {more} more" if more else "")


@dataclass(slots=True)
class Counts:
    """Requests of a run: `asked` all of them, `found` those that the journal knew, and what came of these."""

    asked: int = 0
    found: int = 0
    recalled: int = 0
    failed: int = 0
    changed: Few = field(default_factory=Few)

    def report(self, path: str, known: int, recorded: int) -> None:
        """Log it, for a journal that had `known` results at the beginning and got `recorded` more."""
        logger.info(
            "the journal %r: %d answers recalled, %d results recorded; %d failures of earlier runs counted as missing",
            path,
            self.recalled,
            recorded,
            self.failed,
        )
        if self.changed.count:
            logger.warning(
                "%d requests ask something else than when they were recorded in %r, and count as missing: %s",
                self.changed.count,
                path,
                self.changed,
            )
        if self.asked and known and not self.found:
            logger.warning(
                "none of the %d results in the journal %r was asked for: is it the journal of another run?", known, path
            )
        elif self.asked and known > self.found:
            logger.info("%d results in the journal %r were not asked for in this run", known - self.found, path)
