"""A batch on an executor of the caller's: other processes, or other machines."""

import pickle
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from functools import cached_property, partial

from flyllm._batch.inbox import Inbox
from flyllm._batch.item import Item
from flyllm.errors import DeadlineExceededError, LLMError
from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse


class RemoteAnswer:
    """Answers requests in whatever process it is in; raises nothing.

    `answer` is a method of a manager. A process that unpickles it makes one manager and keeps it, so that its
    connections and what it learns last from one request to the next.
    """

    def __init__(self, answer: Callable[[GenerationRequest], LLMResponse]) -> None:
        self._answer = answer

    def __call__(self, request: GenerationRequest) -> LLMResponse:
        return self._answer(request)

    @cached_property
    def pickled(self) -> bytes:
        """The method and its manager as bytes. Raises `ConfigError` where the manager has keys given as text."""
        return pickle.dumps(self._answer)

    def __reduce__(self) -> tuple[Callable[[bytes], "RemoteAnswer"], tuple[bytes]]:
        return _here, (self.pickled,)


_made: "dict[bytes, RemoteAnswer]" = {}


def _here(pickled: bytes) -> RemoteAnswer:
    # Without a lock, under which modules would be imported: of managers made at once the first is kept, and the others
    # have opened nothing yet.
    made = _made.get(pickled)
    if made is None:
        made = _made.setdefault(pickled, RemoteAnswer(pickle.loads(pickled)))  # noqa: S301 - in a pickle being loaded
    return made


class Executors:
    """A `Crew` that hands every item to `executor`, and leaves to it how many are worked on at once.

    What it has begun cannot be cut: calling a batch off only drops the rest. `until` is the batch's deadline on the
    wall clock, the one that processes share; None means none.
    """

    def __init__(self, executor: Executor, answerer: RemoteAnswer, until: float | None, done: Inbox) -> None:
        self.done = done
        self._executor, self._answerer, self._until = executor, answerer, until
        self._futures: dict[Future[LLMResponse], Item] = {}
        self._here = isinstance(executor, ThreadPoolExecutor)
        if not self._here:
            answerer.pickled  # noqa: B018 - raises here, once, rather than for every request

    def submit(self, item: Item) -> None:
        """Hand `item` to the executor."""
        try:
            future = self._submit(item.request)
        except Exception as exc:  # it is shut down or broken
            self.done.put((item, _lost(exc)))
            return
        self._futures[future] = item
        future.add_done_callback(partial(self._came, item))

    def drop(self) -> list[Item]:
        """Return what the executor has not begun, cancelled."""
        return [item for future, item in list(self._futures.items()) if future.cancel()]

    def alive(self) -> bool:
        """Whether a response is still to come."""
        return bool(self._futures)

    def call_off(self) -> None:
        """Drop what the executor has not begun."""
        self.drop()

    def finish(self) -> None:
        """Leave the executor to its owner."""

    def _submit(self, request: GenerationRequest) -> "Future[LLMResponse]":
        if self._here:  # in this context, with a trace's current span, say; to another process none can go
            return self._executor.submit(copy_context().run, _answer, self._answerer, request, self._until)
        return self._executor.submit(_answer, self._answerer, request, self._until)

    def _came(self, item: Item, future: "Future[LLMResponse]") -> None:
        try:
            response = future.result()
        except BaseException as exc:  # a process that died, a value that does not pickle, a cancelled future
            response = _lost(exc)
        if future.cancelled():
            item = replace(item, entry=None)  # it was not sent: there is nothing to record
        with suppress(Exception):  # the inbox tells the batch of it; the executor could only log it
            self.done.put((item, response))
        self._futures.pop(future, None)


def _answer(answerer: RemoteAnswer, request: GenerationRequest, until: float | None) -> LLMResponse:
    if until is None:
        return answerer(request)
    left = until - time.time()
    if left <= 0.0:
        return LLMResponse(error=DeadlineExceededError("the batch's deadline passed before the request could be sent"))
    return answerer(replace(request, timeout=min(left, request.timeout or left)))


def _lost(exc: BaseException) -> LLMResponse:
    return LLMResponse(error=LLMError(f"the executor did not answer: {type(exc).__name__}: {exc}"))
