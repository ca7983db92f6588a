"""A stream passed on to a browser as server-sent events, by any WSGI framework and server.

    stream = manager.generate_stream(prompt)  # a failure before the first content is raised here: answer 502 or 503
    return Response(server_sent_events(stream), content_type=CONTENT_TYPE, headers=HEADERS)

With Django it is `StreamingHttpResponse`, with the same arguments. Imports no framework. What the events mean:

    data: {"content": "..."}               a chunk: those fields of `StreamChunk` that are not empty
    data: {"finish_reason": ..., ...}      the last chunk, with `usage`
    event: done, data: {}                  the answer is whole
    event: error, data: {"error": "..."}   it broke off; the name of the class in `flyllm.errors` that says why

An answer that ends with neither `done` nor `error` was cut between the server and the browser.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from flyllm.errors import StreamInterruptedError

if TYPE_CHECKING:
    from flyllm._execution.stream import ResponseStream
    from flyllm.types import StreamChunk

logger = logging.getLogger("flyllm.streams")

CONTENT_TYPE = "text/event-stream"
"""The response's content type; frameworks take it as an argument of its own."""

HEADERS: Mapping[str, str] = MappingProxyType({"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
"""The response's other headers: nothing on the way keeps the events, and nginx passes each on at once."""


class ServerSentEvents:
    """The body of a response, made by `server_sent_events`: an iterator of events as bytes, with `close()`."""

    # A class, since closing a generator that was never started does nothing. Not part of a reference cycle: a response
    # that middleware replaces is dropped unclosed, and the stream then ends with the last reference to it.
    def __init__(self, stream: "ResponseStream") -> None:
        self._stream, self._events = stream, _events(stream)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """End the stream, if it has not ended, and the iteration. WSGI servers call it at the end of a response."""
        self._stream.close()
        self._events = iter(())


def server_sent_events(stream: "ResponseStream") -> ServerSentEvents:
    """Return the body of a response that passes an open stream on; the stream is the body's from now on.

    A browser that goes away is noticed when the next event is written to it. While the provider is silent none is, and
    what ends the wait is the request's `idle_timeout`. An answer that breaks off is a warning of the logger
    `flyllm.streams`; the browser is told the kind of error, not its text.
    """
    return ServerSentEvents(stream)


def _events(stream: "ResponseStream") -> Iterator[bytes]:
    try:
        for chunk in stream:
            yield _event(_said(chunk))
        if stream.response is None:
            raise StreamInterruptedError("the stream was closed before its end; was it opened in a `with` block?")
    except StreamInterruptedError as error:
        logger.warning("an answer for a browser broke off: %s", error)
        yield _event({"error": type(error.cause or error).__name__}, "error")
    else:
        yield _event({}, "done")


def _event(data: object, name: str = "") -> bytes:
    # JSON in ASCII has no line breaks, and stands for halves of surrogate pairs, which UTF-8 cannot.
    text = f"data: {json.dumps(data, default=_plain)}\n\n"
    return (f"event: {name}\n{text}" if name else text).encode("ascii")


def _said(chunk: "StreamChunk") -> dict[str, object]:
    return {name: value for name, value in chunk._asdict().items() if value != chunk._field_defaults[name]}


def _plain(value: Any) -> object:
    """Return a dataclass as its fields that differ from their defaults."""
    if isinstance(value, frozenset):
        return sorted(value)
    return {f.name: content for f in fields(value) if (content := getattr(value, f.name)) != f.default}
