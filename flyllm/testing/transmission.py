"""From an answer to what goes over the wire: bytes, waits, and how the connection ends. Pure, no sockets."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

from flyllm.testing.behaviour import Behaviour
from flyllm.testing.faults import Fault, StreamFault


class End(Enum):
    """What becomes of the connection when no more bytes follow. Without one of these it is kept."""

    CLOSE = "FIN"
    RESET = "RST"
    HANG = "stays open and silent"


Step = bytes | float | End
"""Bytes to write, seconds to wait, or the end of the connection."""

_TRICKLE = 0.01
"""Seconds between single bytes where the behaviour names no pace."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer before anything happens to it.

    body: whole answer; `frames`: a streamed one instead, one event each.
    error_frame: returns the provider's error event for a fault inside the stream.
    """

    status: int
    headers: Mapping[str, str]
    content_type: str
    body: bytes = b""
    frames: Iterable[bytes] | None = None
    error_frame: Callable[[StreamFault], bytes] | None = None


def head(answer: Answer, length: int | None) -> bytes:
    """Return status line and headers; a `length` of None announces a chunked body."""
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {answer.status} {phrase}", f"content-type: {answer.content_type}"]
    lines.append("transfer-encoding: chunked" if length is None else f"content-length: {length}")
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


def chunk(data: bytes) -> bytes:
    """Return `data` as one HTTP chunk; empty data would end the body and gives nothing."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


LAST_CHUNK = b"0\r\n\r\n"


def at_once(answer: Answer, behaviour: Behaviour, delay: float) -> bytes | None:
    """Return the whole transmission where nothing waits and nothing breaks, None otherwise."""
    if delay or behaviour.fault is not None:
        return None
    if answer.frames is None:
        return head(answer, len(answer.body)) + answer.body
    if behaviour.pace:
        return None
    frames = _fragments(answer.frames, behaviour.fragment)
    return b"".join([head(answer, None), *map(chunk, frames), LAST_CHUNK])


def steps(answer: Answer, behaviour: Behaviour, delay: float) -> Iterator[Step]:
    """Yield what happens on the connection, in order."""
    if delay:
        yield delay
    fault = behaviour.fault
    if isinstance(fault, Fault) and fault in _ON_THE_WAY:
        yield from _ON_THE_WAY[fault](answer, behaviour)
    elif answer.frames is None:
        yield head(answer, len(answer.body)) + answer.body
    else:
        yield head(answer, None)
        frames = list(answer.frames)
        paced = _paced(_fragments(frames, behaviour.fragment), behaviour.pace)
        yield from _broken(frames, fault, answer, behaviour) if isinstance(fault, StreamFault) else paced
        if not isinstance(fault, StreamFault):
            yield LAST_CHUNK


def _fragments(frames: Iterable[bytes], size: int | None) -> Iterable[bytes]:
    if size is None:
        return frames
    whole = b"".join(frames)
    return (whole[at : at + size] for at in range(0, len(whole), size))


def _paced(frames: Iterable[bytes], pace: float) -> Iterator[Step]:
    for number, frame in enumerate(frames):
        if pace and number:
            yield pace
        yield chunk(frame)


# ---- faults inside a stream


def _broken(frames: list[bytes], fault: StreamFault, answer: Answer, behaviour: Behaviour) -> Iterator[Step]:
    before, after = _split(frames, fault)
    yield from _paced(_fragments(before, behaviour.fragment), behaviour.pace)
    if fault.how == "end":
        yield LAST_CHUNK
    elif fault.how == "close":
        yield End.CLOSE
    elif fault.how == "reset":
        yield End.RESET
    elif fault.how == "error":
        yield chunk(answer.error_frame(fault) if answer.error_frame else b"")
        yield LAST_CHUNK
    elif fault.how == "stall" and fault.seconds is None:
        yield from _stalled_for_good(fault, answer)
    else:
        yield from _garbage(answer) if fault.how == "garbage" else _stalled(fault, fault.seconds or 0.0, answer)
        yield from _paced(_fragments(after, behaviour.fragment), behaviour.pace)
        yield LAST_CHUNK


def _split(frames: list[bytes], fault: StreamFault) -> tuple[list[bytes], list[bytes]]:
    if fault.at_byte is None:
        return frames[: fault.after], frames[fault.after :]
    before: list[bytes] = []
    left = fault.at_byte
    for number, frame in enumerate(frames):
        if len(frame) >= left:
            return [*before, frame[:left]], [frame[left:], *frames[number + 1 :]]
        before.append(frame)
        left -= len(frame)
    return frames, []


def _garbage(answer: Answer) -> Iterator[Step]:
    sse = "event-stream" in answer.content_type
    yield chunk(b'data: {"id": "broken\n\n' if sse else b'{"id": "broken\n')


def _stalled(fault: StreamFault, seconds: float, answer: Answer) -> Iterator[Step]:
    comment = _comment(answer)
    while fault.ping and comment and seconds > 0:
        wait = min(fault.ping, seconds)
        yield wait
        yield comment
        seconds -= wait
    if seconds > 0:
        yield seconds


def _stalled_for_good(fault: StreamFault, answer: Answer) -> Iterator[Step]:
    comment = _comment(answer)
    while fault.ping and comment:
        yield fault.ping
        yield comment
    yield End.HANG


def _comment(answer: Answer) -> bytes:
    # Only event streams have comments; in JSON lines one would be garbage.
    return chunk(b": ping\n\n") if "event-stream" in answer.content_type else b""


# ---- faults on the way


def _whole(answer: Answer) -> tuple[bytes, bytes]:
    if answer.frames is None:
        return head(answer, len(answer.body)), answer.body
    return head(answer, None), b"".join(map(chunk, answer.frames)) + LAST_CHUNK


def _reset(answer: Answer, behaviour: Behaviour) -> Iterator[Step]:
    yield End.RESET


def _close(answer: Answer, behaviour: Behaviour) -> Iterator[Step]:
    yield End.CLOSE


def _hang(answer: Answer, behaviour: Behaviour) -> Iterator[Step]:
    yield End.HANG


def _cut_in_headers(answer: Answer, behaviour: Behaviour) -> Iterator[Step]:
    start, _ = _whole(answer)
    yield start[: len(start) // 2]
    yield End.CLOSE


def _cut_after_headers(answer: Answer, behaviour: Behaviour) -> Iterator[Step]:
    yield _whole(answer)[0]
    yield End.CLOSE


def _trickle(data: bytes, behaviour: Behaviour) -> Iterator[Step]:
    for at in range(len(data)):
        yield data[at : at + 1]
        yield behaviour.pace or _TRICKLE


def _slow_headers(answer: Answer, behaviour: Behaviour) -> Iterator[Step]:
    start, body = _whole(answer)
    yield from _trickle(start, behaviour)
    yield body


def _slow_body(answer: Answer, behaviour: Behaviour) -> Iterator[Step]:
    start, body = _whole(answer)
    yield start
    yield from _trickle(body, behaviour)


def _short_body(answer: Answer, behaviour: Behaviour) -> Iterator[Step]:
    body = answer.body if answer.frames is None else b"".join(answer.frames)
    yield head(answer, len(body)) + body[: len(body) // 2]
    yield End.CLOSE


def _cut_in_chunk(answer: Answer, behaviour: Behaviour) -> Iterator[Step]:
    body = answer.body if answer.frames is None else b"".join(answer.frames)
    yield head(answer, None) + chunk(body)[: len(body) // 2]
    yield End.CLOSE


_ON_THE_WAY: Mapping[Fault, Callable[[Answer, Behaviour], Iterator[Step]]] = {
    Fault.RESET_ON_ACCEPT: _reset,
    Fault.BLACKHOLE: _hang,
    Fault.RESET: _reset,
    Fault.CLOSE: _close,
    Fault.SILENCE: _hang,
    Fault.CUT_IN_HEADERS: _cut_in_headers,
    Fault.CUT_AFTER_HEADERS: _cut_after_headers,
    Fault.SLOW_HEADERS: _slow_headers,
    Fault.SLOW_BODY: _slow_body,
    Fault.SHORT_BODY: _short_body,
    Fault.CUT_IN_CHUNK: _cut_in_chunk,
}
