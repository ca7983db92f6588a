"""An open streamed reply as a `DeltaStream`: bytes in, deltas out, the connection given back or cut."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from flyllm.errors import ParseError, RequestError
from flyllm.providers.base import Delta, ProviderSettings
from flyllm.providers.bounded_http import LINE
from flyllm.providers.failures import in_band_error, request_id
from flyllm.providers.line import Line
from flyllm.providers.payload import decode
from flyllm.providers.sse import ServerEvent, events
from flyllm.providers.transport import exchange, guard

EventReader = Callable[[Iterator[ServerEvent]], Iterator[Delta]]
"""An adapter's generator: returns after the terminal event, raises or simply ends where there was none."""


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
        self.headers: Mapping[str, str] = response.headers
        self.request_id = request_id(response.headers)
        try:
            exchange(settings, lambda: _require(media_type, response))
        except BaseException:
            response.close()
            raise
        self._deltas = guard(settings, self._closing(read(frames(response.iter_bytes()))))

    def __iter__(self) -> Iterator[Delta]:
        return self

    def __next__(self) -> Delta:
        return next(self._deltas)

    def limit(self, seconds: float) -> None:
        """Let the rest take at most `seconds` from now."""
        self._line.limit(seconds)

    def close(self) -> None:
        """Release the connection; a thread that reads from it meanwhile gets an error at once."""
        self._line.cut(RequestError("the stream was closed while it was read"))
        self._response.close()

    def _closing(self, deltas: Iterator[Delta]) -> Iterator[Delta]:
        try:
            yield from deltas
        finally:
            self._response.close()


def drain(rest: Iterable[object], response: Any) -> None:
    """Read what follows the terminal event, so that the connection can be used again.

    Only where the body has an end of its own: a body that lasts until the connection closes cannot be reused.
    """
    if "chunked" in response.headers.get("transfer-encoding", ""):
        with suppress(Exception):  # the answer is complete: what breaks now costs the connection and nothing else
            for _ in rest:
                pass


def unfinished(terminal: str) -> RequestError:
    """Return the error for a stream that ended without its terminal event."""
    return RequestError(f"the stream ended early: it closed without {terminal}")


def _require(media_type: str, response: Any) -> None:
    content_type = response.headers.get("content-type", "")
    if media_type in content_type:
        return
    content = response.read()
    body = decode(content, content_type)
    if "error" in body or "error" in (body.get("type"), body.get("object")) or isinstance(body.get("message"), str):
        raise in_band_error(body, response.headers)
    raise ParseError(f"expected a stream of events, the provider sent {content_type or 'no content type'}")
