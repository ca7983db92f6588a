"""An open streamed reply as a `DeltaStream`: bytes in, deltas out, the connection given back or cut."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from flyllm.errors import APIError, ParseError, RequestError
from flyllm.providers.base import Delta, ProviderSettings
from flyllm.providers.bounded_http import LINE, headers_of
from flyllm.providers.failures import in_band_error, request_id
from flyllm.providers.line import Line
from flyllm.providers.payload import decode
from flyllm.providers.sse import ServerEvent, events
from flyllm.providers.transport import exchange, guard

logger = logging.getLogger("flyllm.streams")

EventReader = Callable[[Iterator[ServerEvent]], Iterator[Delta]]
"""An adapter's generator: returns after the terminal event, raises or simply ends where there was none."""


AFTERMATH = 2.0
"""Seconds that what follows the finish reason may take: usage, and the end of the body."""


class EventStream:
    """A `DeltaStream` over an HTTP reply of server-sent events, or of what else `frames` cuts bytes into.

    `read` yields deltas and returns when it saw the provider's terminal event; it ends by `unfinished()` otherwise.
    """

    def __init__(
        self,
        settings: ProviderSettings,
        response: Any,
        read: Callable[[Iterator[Any]], Iterator[Delta]],
        *,
        frames: Callable[[Iterable[bytes]], Iterator[Any]] = events,
        media_type: str = "event-stream",
    ) -> None:
        self._response = response
        self._line: Line = response.extensions[LINE]
        self._finished = False
        self.headers = headers_of(response)
        self.request_id = request_id(self.headers)
        try:
            exchange(settings, lambda: _require(media_type, response))
        except BaseException:
            response.close()
            raise
        # Not `iter_bytes()`, which would count and cut anew what the transport has unpacked and counted.
        self._deltas = guard(settings, self._to_the_end(read(frames(response.stream))))

    def __iter__(self) -> Iterator[Delta]:
        return self._deltas

    def __next__(self) -> Delta:
        return next(self._deltas)

    def limit(self, seconds: float) -> None:
        """Let the rest take at most `seconds` from now, and not long once the answer is whole."""
        self._line.limit(min(seconds, AFTERMATH) if self._finished else seconds)

    def close(self) -> None:
        """Release the connection; a thread that reads from it meanwhile gets an error at once."""
        self._line.cut(RequestError("the stream was closed while it was read"))
        self._response.close()

    def _to_the_end(self, deltas: Iterator[Delta]) -> Iterator[Delta]:
        try:
            for delta in deltas:
                if delta.finish_reason is not None:
                    self._finished = True
                    self._line.limit(AFTERMATH)
                yield delta
        except Exception as exc:
            if isinstance(exc, APIError) or not self._finished:
                raise
            # The answer is whole: what breaks now costs the connection, or the count of its tokens.
            logger.info("a stream broke after its answer was whole: %s", type(exc).__name__)
        finally:
            self._response.close()


def drain(rest: Iterable[object], response: Any) -> None:
    """Read what follows the terminal event, so that the connection can be used again.

    Only where the body has an end of its own: a body that lasts until the connection closes cannot be reused.
    """
    headers = headers_of(response)
    if "chunked" in headers.get("transfer-encoding", "") or "content-length" in headers:
        response.extensions[LINE].limit(AFTERMATH)
        with suppress(Exception):
            for _ in rest:
                pass


def unfinished(terminal: str) -> RequestError:
    """Return the error for a stream that ended without its terminal event."""
    return RequestError(f"the stream ended early: it closed without {terminal}")


def _require(media_type: str, response: Any) -> None:
    headers = headers_of(response)
    content_type = headers.get("content-type", "")
    if media_type in content_type.lower():
        return
    content = response.read()
    body = decode(content, content_type)
    if "error" in body or "error" in (body.get("type"), body.get("object")) or isinstance(body.get("message"), str):
        raise in_band_error(body, headers)
    raise ParseError(f"expected a stream of events, the provider sent {content_type or 'no content type'}")
