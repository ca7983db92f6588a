"""What can go wrong with an answer on its way: below HTTP, in its bytes, and inside a stream.

These are names and numbers only; `transmission` turns them into bytes, waits and broken connections.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from flyllm.testing.wires.base import ErrorKind


class Fault(Enum):
    """Something that happens to an answer, streamed or not. (A refused connection: `SimulatedProvider.down()`.)"""

    RESET_ON_ACCEPT = "the connection is accepted and reset (RST) before anything is read"
    BLACKHOLE = "the connection is accepted, nothing is read from it, nothing answered"
    RESET = "the request is read, then the connection is reset (RST) without a byte of answer"
    CLOSE = "the request is read, then the connection is closed (FIN) without a byte of answer"
    SILENCE = "the request is read and never answered"
    CUT_IN_HEADERS = "the connection closes in the middle of the headers"
    CUT_AFTER_HEADERS = "the connection closes between headers and body"
    SLOW_HEADERS = "the headers come one byte at a time, `pace` seconds apart"
    SLOW_BODY = "the body comes one byte at a time, `pace` seconds apart"
    SHORT_BODY = "Content-Length promises more than comes before the connection closes"
    CUT_IN_CHUNK = "a chunked body ends in the middle of a chunk and the connection closes"
    TRUNCATED_JSON = "half of the JSON, or of the stream, with headers that fit it"
    HTML = "an HTML login page with status 200"
    EMPTY = "an empty body with status 200"
    NULL = "`null` with status 200"
    EMPTY_OBJECT = "`{}` with status 200"
    ERROR_WITH_200 = "the provider's error JSON with status 200"


HowItEnds = Literal["end", "close", "reset", "stall", "error", "garbage"]


@dataclass(frozen=True, slots=True)
class StreamFault:
    """Something that happens in the middle of a streamed answer; answers that are not streamed are left whole.

    Args:
        how: "end" (clean end of the body without the terminal event), "close" (FIN inside the body),
            "reset" (RST), "stall" (no more frames), "error" (the provider's error event, then a clean end)
            or "garbage" (an event that is no JSON, after which the stream goes on).
        after: frames sent before it happens; negative counts from the end, -1 is before the terminal frame.
        at_byte: happens after so many bytes of body instead, inside a frame if need be.
        kind, message: of the error event.
        ping: during a stall, seconds between SSE comments (`: ping`); None sends none.
        seconds: length of a stall, after which the stream goes on; None never goes on.
    """

    how: HowItEnds = "end"
    after: int = -1
    at_byte: int | None = None
    kind: ErrorKind = ErrorKind.SERVER_ERROR
    message: str | None = None
    ping: float | None = None
    seconds: float | None = None


def cut(after: int = -1, *, at_byte: int | None = None, how: HowItEnds = "end") -> StreamFault:
    """Return a stream that stops after `after` frames or `at_byte` bytes; `how` is "end", "close" or "reset"."""
    return StreamFault(how, after, at_byte)


def stall(after: int, *, ping: float | None = None, seconds: float | None = None) -> StreamFault:
    """Return a stream that falls silent after `after` frames, for `seconds` or for good."""
    return StreamFault("stall", after, ping=ping, seconds=seconds)


def error_event(after: int, kind: ErrorKind = ErrorKind.SERVER_ERROR, message: str | None = None) -> StreamFault:
    """Return a stream in which the provider reports an error after `after` frames."""
    return StreamFault("error", after, kind=kind, message=message)


def garbage(after: int) -> StreamFault:
    """Return a stream with an event that is no JSON after `after` frames."""
    return StreamFault("garbage", after)
