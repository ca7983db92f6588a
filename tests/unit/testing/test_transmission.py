"""From answers to steps on the wire, without sockets."""

from collections.abc import Iterable

import pytest

from flyllm.testing import Behaviour, Fault, StreamFault, cut, stall
from flyllm.testing.transmission import Answer, End, Step, at_once, chunk, head, steps

WHOLE = Answer(200, {"x": "1"}, "application/json", b'{"a": 1}')
FRAMES = [b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n"]
STREAM = Answer(200, {}, "text/event-stream", frames=FRAMES)


def played(answer: Answer, behaviour: Behaviour, delay: float = 0.0) -> tuple[bytes, list[float], End | None]:
    """The bytes of the body as they stand on the wire, the waits, and the end."""
    found: list[Step] = list(steps(answer, behaviour, delay))
    data = b"".join(step for step in found if isinstance(step, bytes)).partition(b"\r\n\r\n")[2]
    end = found[-1] if isinstance(found[-1], End) else None
    return data, [step for step in found if isinstance(step, float)], end


def chunks(frames: Iterable[bytes]) -> bytes:
    return b"".join(map(chunk, frames))


def test_at_once_is_what_the_steps_add_up_to() -> None:
    """The shortcut for undisturbed answers sends the same bytes as the long way."""
    for answer in (WHOLE, STREAM):
        for behaviour in (Behaviour(), Behaviour(fragment=4)):
            long_way = b"".join(step for step in steps(answer, behaviour, 0.0) if isinstance(step, bytes))
            assert at_once(answer, behaviour, 0.0) == long_way


@pytest.mark.parametrize("behaviour", [Behaviour(fault=Fault.RESET), Behaviour(pace=0.1)])
def test_at_once_leaves_everything_else_to_the_steps(behaviour: Behaviour) -> None:
    """Waits and faults are never skipped."""
    assert at_once(STREAM, behaviour, 0.0) is None
    assert at_once(WHOLE, Behaviour(), 0.1) is None


def test_head_knows_no_reason_for_odd_statuses() -> None:
    """Any status can be sent, with a phrase even where the standard has none."""
    assert head(Answer(599, {}, "text/plain"), 0).startswith(b"HTTP/1.1 599 Unknown\r\n")
    assert b"content-length: 8\r\nx: 1\r\n\r\n" in head(WHOLE, 8)


def test_pace_waits_between_frames_only() -> None:
    """Three frames have two gaps; the latency comes before everything."""
    assert played(STREAM, Behaviour(pace=0.1), 0.5)[1] == [0.5, 0.1, 0.1]


@pytest.mark.parametrize(
    ("fault", "body", "end"),
    [
        (cut(1), chunks(FRAMES[:1]) + b"0\r\n\r\n", None),
        (cut(), chunks(FRAMES[:2]) + b"0\r\n\r\n", None),
        (cut(0), b"0\r\n\r\n", None),
        (cut(99), chunks(FRAMES) + b"0\r\n\r\n", None),
        (cut(1, how="close"), chunks(FRAMES[:1]), End.CLOSE),
        (cut(1, how="reset"), chunks(FRAMES[:1]), End.RESET),
        (cut(at_byte=12), chunks([FRAMES[0], b"dat"]) + b"0\r\n\r\n", None),
        (cut(at_byte=9), chunks([FRAMES[0]]) + b"0\r\n\r\n", None),
        (stall(1), chunks(FRAMES[:1]), End.HANG),
        (stall(1, seconds=2.0), chunks(FRAMES) + b"0\r\n\r\n", None),
        (
            StreamFault("stall", at_byte=12, seconds=1.0),
            chunks([FRAMES[0], b"dat", b"a: 2\n\n", FRAMES[2]]) + b"0\r\n\r\n",
            None,
        ),
    ],
)
def test_stream_faults(fault: StreamFault, body: bytes, end: End | None) -> None:
    """A stream breaks after the frame or byte it is told to, in the way it is told to."""
    got, _, ended = played(STREAM, Behaviour(fault=fault))
    assert (got, ended) == (body, end)


def test_pings_are_for_event_streams_only() -> None:
    """A comment would be garbage in JSON lines, so there a stall is silent."""
    lines = Answer(200, {}, "application/x-ndjson", frames=[b"{}\n", b"{}\n"])
    assert b": ping" not in played(lines, Behaviour(fault=stall(1, ping=0.1, seconds=0.3)))[0]
    assert played(STREAM, Behaviour(fault=stall(1, ping=0.1, seconds=0.3)))[0].count(b": ping") == 3


@pytest.mark.parametrize("fault", [f for f in Fault if "200" not in f.value and f is not Fault.TRUNCATED_JSON])
def test_every_fault_on_the_way_has_its_steps(fault: Fault) -> None:
    """No fault of the kind that breaks connections is silently ignored."""
    untouched = list(steps(WHOLE, Behaviour(), 0.0))
    assert list(steps(WHOLE, Behaviour(fault=fault), 0.0)) != untouched
