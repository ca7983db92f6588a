"""The journal of a batch: an append-only JSON Lines file of finished results, by which the batch is resumed.

The last line of a request counts. No prompt and no key is in the file.
"""

import logging
import os
from collections.abc import Iterable
from typing import Any, Self

from flyllm._batch.identity import Entry, content_hash
from flyllm._batch.journal_file import JournalFile
from flyllm._batch.journal_line import entry_of, parse_line, result_line
from flyllm._batch.journal_report import Counts, Few
from flyllm._batch.number_tables import NumberSet, OffsetMap
from flyllm._batch.response_json import response_from_json
from flyllm.errors import ConfigError
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse

logger = logging.getLogger("flyllm.batch")

Result = tuple[Entry, int, LLMResponse]
"""A request's entry, its place in the batch, and what became of it."""


class Journal:
    """The results of earlier runs, and those of this one as they come.

    Any thread may record; one thread does everything else. It takes about 50 bytes of memory per result of earlier runs
    and 20 per request of this one. Use it in a `with` statement, or `close` it.
    """

    def __init__(self, file: JournalFile) -> None:
        self._file = file
        self._places = OffsetMap()  # of the last line of each identity in earlier runs
        self._asked = NumberSet()  # keys of this run's requests, of equal ones the first
        self._repeats: dict[int, int] = {}  # how often a content came that came more than once
        self._counts = Counts()

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open the journal at `path`, or begin it where there is none, and lock it until `close`.

        A line that was torn by a crash or a full disk is cut off, other damaged lines are skipped; both are logged.
        Raises ConfigError where the file cannot be used, is something else or is in use; it is then as it was.
        """
        file = JournalFile.open(path)
        try:
            journal = cls(file)
            journal._load()
        except OSError as exc:
            file.close()
            raise ConfigError(f"the journal {file.path!r} cannot be read: {exc}") from exc
        except BaseException:
            file.close()
            raise
        return journal

    def entry(self, request: GenerationRequest) -> Entry:
        """Return the identity of the next request of the run.

        Raises ConfigError for a `custom_id` that an earlier request of the run has.
        """
        entry = Entry(content_hash(request), _custom_id(request))
        is_new = self._asked.add(entry.key)
        self._counts.asked += 1
        if is_new:
            return entry
        if entry.custom_id is not None:
            raise ConfigError(
                f"custom_id {entry.custom_id[:80]!r} is given to more than one request of the batch: "
                "in a journal each needs one of its own"
            )
        occurrence = self._repeats[entry.key] = self._repeats.get(entry.key, 1) + 1
        return Entry(entry.content_hash, occurrence=occurrence)

    def recall(self, entry: Entry) -> LLMResponse | None:
        """Return the answer that is recorded for a request, without `raw` and `parsed`.

        None where there is none, where the request has failed or asks something else than then.
        """
        offset = self._places.get(entry.key)
        if offset is None:
            return None
        told = parse_line(self._file.line(offset))
        self._counts.found += 1
        if told is None or not self._is_of(told, entry):
            return None
        if told.get("success") is not True:
            self._counts.failed += 1
            return None
        return self._response(told)

    def record(self, results: Iterable[Result]) -> None:
        """Have results written, all at once, and with those of other threads; they are on disk when it returns.

        Raises LLMError where that fails, as with a full disk; what was recorded before is safe.
        """
        lines = [result_line(*result) for result in results]
        if lines:
            self._file.append(b"".join(lines))

    def close(self) -> None:
        """Close the file, and log what there is to tell about the run."""
        if self._file.is_open:
            self._file.close()
            self._counts.report(self._file.path, len(self._places), self._file.appended)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _load(self) -> None:
        damaged = Few()
        for number, (offset, line) in enumerate(self._file.lines(), 2):
            told = parse_line(line)
            if not line.endswith(b"\n"):
                self._mend(offset, line, whole=told is not None)
            elif told is None:
                damaged.add(number)
            if told is not None:
                self._places[entry_of(told).key] = offset
        if damaged.count:
            logger.warning("the journal %r is damaged in line %s: what was there is missing", self._file.path, damaged)

    def _mend(self, offset: int, line: bytes, *, whole: bool) -> None:
        """Finish the last line, of which a crash cut off the end of line or more."""
        if whole:
            self._file.complete()
            return
        self._file.cut(offset)
        logger.warning(
            "the last line of the journal %r was torn, by a crash or a full disk: its %d bytes were cut off, and that "
            "result counts as missing",
            self._file.path,
            len(line),
        )

    def _is_of(self, told: dict[str, Any], entry: Entry) -> bool:
        known = entry_of(told)
        if known.custom_id == entry.custom_id is not None and known.content_hash != entry.content_hash:
            self._counts.changed.add(entry.custom_id)
        return known == entry

    def _response(self, told: dict[str, Any]) -> LLMResponse | None:
        try:
            response = response_from_json(told)
        except (TypeError, ValueError, AttributeError) as exc:
            logger.warning("a result in the journal %r is no response (%s): it counts as missing", self._file.path, exc)
            return None
        self._counts.recalled += 1
        return response


def _custom_id(request: GenerationRequest) -> str | None:
    given: Any = request.custom_id  # its annotation is the caller's promise, not yet a fact
    if given is not None and not isinstance(given, str):
        raise ConfigError(f"custom_id must be text, not {type(given).__name__}")
    return given
