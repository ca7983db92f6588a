"""What a user holds of a streamed call."""

import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from flyllm._execution.reading import Reading
from flyllm._execution.reaper import Reaper
from flyllm.errors import StreamInterruptedError
from flyllm.types import LLMResponse, StreamChunk


class ResponseStream:
    """An answer as it comes: iterate for `StreamChunk`s, or use `text` and `response` afterwards.

    A context manager; leaving it, `close()` and garbage collection end the call early and free its connection.
    Iteration raises `StreamInterruptedError` (with `.partial`) when the answer breaks off and its request does not want
    it to go on or it cannot, when it brings nothing for `idle_timeout` seconds, and at the request's deadline. One
    thread at a time iterates; any may close.
    """

    def __init__(self, reading: Reading, reaper: Reaper) -> None:
        self._reading = reading
        self._chunks = reading.chunks()
        self._closed = False
        # Not closed in the finaliser itself: it may run inside the pool's or the HTTP library's locks.
        self._finalizer = weakref.finalize(self, reaper.soon, reading.abandon)

    @property
    def text(self) -> str:
        """The text received so far."""
        return self._reading.answer.content

    @property
    def response(self) -> LLMResponse | None:
        """The whole response once the stream has finished; None before, and after an early close."""
        return self._reading.response

    def __iter__(self) -> Iterator[StreamChunk]:
        return self

    def __next__(self) -> StreamChunk:
        if self._closed:
            raise StopIteration
        if self._reading.inherited:
            raise StreamInterruptedError("this stream is the parent process's: open one here", partial=self.text)
        try:
            return next(self._chunks)
        except ValueError:  # "generator already executing"; of itself it raises nothing but ours
            reason = "two threads iterate one stream; each chunk goes to one consumer only"
        raise RuntimeError(reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the call now, if it has not ended; tokens seen so far are booked as estimated."""
        self._closed = True
        self._reading.abandon()
        self._finalizer.detach()
