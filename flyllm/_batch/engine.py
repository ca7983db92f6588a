"""The course of a batch: requests in as far as the window reaches, responses out as they come or in order.

Everything here runs in the caller's thread, the reading of the requests included: between two of them it looks for
responses, so that a slow source holds none of them up.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from queue import Empty
from typing import Any

from flyllm._batch.crew import Crew
from flyllm._batch.item import Done, Item
from flyllm._batch.journal import Journal
from flyllm._batch.rereading import reread
from flyllm._batch.stops import Stops
from flyllm._batch.watch import Watch
from flyllm._clock import SLICE
from flyllm._execution.asking import as_request
from flyllm.errors import ConfigError, LLMError
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse


@dataclass(frozen=True, slots=True)
class Course:
    """How a batch goes.

    Attributes:
        window: requests that are read and whose responses have not been handed over, at most.
        ordered: whether responses are handed over in the order of the requests.
        journal: who knows the answers of earlier runs; None for nobody.
        rest: takes the responses that had come, and were not handed over, when the batch was interrupted.
    """

    window: int
    ordered: bool
    stops: Stops
    watch: Watch
    journal: Journal | None = None
    rest: list[LLMResponse] = field(default_factory=list)


class Engine:
    """One batch under way."""

    def __init__(self, source: Iterator[Any], crew: Crew, course: Course) -> None:
        self._source, self._crew, self._course = source, crew, course
        self._read = 0  # requests read
        self._open = 0  # of these, not handed over
        self._working: dict[int, Item] = {}  # of these, with the crew
        self._exhausted = self._halted = False  # no more is read: there is none, or none is wanted
        self._stopped = False  # some were not sent
        self._broken: Exception | None = None  # the source's
        self._settled: list[LLMResponse] = []  # come, while it is not yet known whether all of them are recorded
        self._early: dict[int, LLMResponse] = {}  # to be handed over when earlier ones have come
        self._leaving: deque[LLMResponse] = deque()  # to be handed over, in this order
        self._next = 0  # the next to hand over, where the order matters

    def responses(self) -> Iterator[LLMResponse]:
        """Yield all responses; at the end raise what the source raised, or why some requests were not sent."""
        try:
            while not (self._exhausted and not self._open):
                if self._working and (self._exhausted or self._open >= self._course.window):
                    self._await()
                elif not self._exhausted:
                    self._feed()
                if not self._halted and self._course.stops.reason is not None:
                    self._halt()
                yield from self._ready()
            self._crew.finish()
        except BaseException:
            self._crew.call_off()
            self._keep_rest()
            raise
        finally:
            self._course.watch.close(len(self._working))
        if self._broken is not None:
            raise self._broken
        if self._stopped:
            raise self._course.stops.error(self._read)

    def _feed(self) -> None:
        """Read a request and have it worked on, unless its answer is there already."""
        raw = self._next_request()
        if raw is _END:
            self._exhausted = True
            return
        index, self._read, self._open = self._read, self._read + 1, self._open + 1
        try:
            item, known = self._looked_up(index, as_request(raw))
        except ConfigError as error:
            self._working[index] = item = Item(index, _NOTHING)
            self._take((item, LLMResponse(error=error)))
            return
        if known is not None:
            self._course.watch.finished(known, recalled=True)
            self._settle(item, known)
            return
        self._working[index] = item
        self._course.watch.begun()
        self._crew.submit(item)

    def _halt(self) -> None:
        """Read no more, and send nothing of what was read that has not begun."""
        unsent = self._crew.drop()
        self._stopped = bool(unsent) or (not self._exhausted and self._next_request() is not _END)
        self._halted = self._exhausted = True
        for item in unsent:
            if self._working.pop(item.index, None) is not None:
                error = self._course.stops.error(self._read)
                self._settle(item, LLMResponse(error=error, task=item.request.task))

    def _looked_up(self, index: int, request: GenerationRequest) -> tuple[Item, LLMResponse | None]:
        """Return the item of a request, and its response where the journal has one."""
        journal = self._course.journal
        if journal is None:
            return Item(index, request), None
        entry = journal.entry(request)
        return Item(index, request, entry), reread(journal.recall(entry), request)

    def _next_request(self) -> Any:
        try:
            return next(self._source, _END)
        except Exception as exc:  # what is in flight is finished first
            self._broken = exc
            return _END

    def _await(self) -> None:
        """Wait for a response."""
        try:
            self._take(self._crew.done.get(timeout=SLICE))
        except Empty:
            if not self._crew.alive() and self._crew.done.empty():
                for item in list(self._working.values()):
                    self._crew.done.put((item, LLMResponse(error=LLMError("the request was lost: its thread ended"))))

    def _collect(self) -> None:
        while not self._crew.done.empty():
            self._take(self._crew.done.get())

    def _take(self, done: Done) -> None:
        item, response = done
        if self._working.pop(item.index, None) is not None:
            self._course.stops.count(response)
            self._course.watch.finished(response)
            self._settle(item, response)

    def _settle(self, item: Item, response: LLMResponse) -> None:
        self._settled.append(replace(response, index=item.index, custom_id=item.request.custom_id))

    def _ready(self) -> Iterator[LLMResponse]:
        """Yield what can be handed over now, all of it recorded."""
        self._collect()
        self._course.watch.show(len(self._working))
        self._crew.done.check()
        responses, self._settled = self._settled, []
        if self._course.ordered:
            self._early.update((response.index or 0, response) for response in responses)
            responses = self._in_order()
        self._leaving.extend(responses)
        while self._leaving:
            self._open -= 1
            yield self._leaving.popleft()

    def _keep_rest(self) -> None:
        self._collect()
        self._course.rest.extend([*self._leaving, *self._early.values(), *self._settled])

    def _in_order(self) -> list[LLMResponse]:
        found = []
        while (response := self._early.pop(self._next, None)) is not None:
            found.append(response)
            self._next += 1
        return found


_END: Any = object()
_NOTHING = GenerationRequest()
