"""What goes over the wire when a stream breaks, stalls or is abandoned; read with plain sockets."""

import json
import time
from collections.abc import Iterator

import pytest

from flyllm.testing import (
    ErrorKind,
    ProviderSimulator,
    SimulatedProvider,
    StreamFault,
    cut,
    error_event,
    garbage,
    stall,
)
from tests.contract.simulator_sockets import BODY, connect, exchange, frames, parsed, read_all, request, streamed


@pytest.fixture
def instance() -> Iterator[SimulatedProvider]:
    with ProviderSimulator() as simulator:
        yield simulator["openai"]


def test_clean_end_without_the_terminal_event(instance: SimulatedProvider) -> None:
    """A stream can end properly as HTTP, after so many frames or before its last one."""
    whole = frames(parsed(streamed(instance))[2])
    instance.enqueue(cut(after=2)).enqueue(cut())
    assert len(frames(parsed(streamed(instance))[2])) == 2
    almost = frames(parsed(streamed(instance))[2])
    assert len(almost) == len(whole) - 1
    assert b"[DONE]" not in almost[-1]


def test_cut_at_a_byte(instance: SimulatedProvider) -> None:
    """A stream can end at any byte, inside an event too."""
    instance.enqueue(cut(at_byte=100))
    assert len(parsed(streamed(instance))[2]) == 100


def test_cut_without_the_end_of_the_body(instance: SimulatedProvider) -> None:
    """Closing inside a stream leaves the chunked body unfinished."""
    instance.enqueue(cut(after=2, how="close"))
    data = streamed(instance)
    assert data.count(b"data: ") == 2
    assert not data.endswith(b"0\r\n\r\n")


def test_error_event(instance: SimulatedProvider) -> None:
    """The provider's error event can come inside a stream, which ends after it."""
    instance.enqueue(error_event(1, ErrorKind.OVERLOADED, "busy"))
    _, error = frames(parsed(streamed(instance))[2])
    assert json.loads(error.removeprefix(b"data: "))["error"]["message"] == "busy"


def test_garbage(instance: SimulatedProvider) -> None:
    """An event that is no JSON can come inside a stream, which goes on after it."""
    instance.enqueue(garbage(1))
    found = frames(parsed(streamed(instance))[2])
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(found[1].removeprefix(b"data: "))
    assert found[-1] == b"data: [DONE]"


def test_stall_for_good(instance: SimulatedProvider) -> None:
    """A stalled stream sends nothing more and keeps the connection; the client's going is recorded."""
    instance.enqueue(stall(1))
    with connect(instance) as sock:
        sock.sendall(request({**BODY, "stream": True}))
        assert read_all(sock).count(b"data: ") == 1
    assert instance.wait_for(lambda i: i.requests[0].disconnected)
    assert instance.in_flight == 0


def test_stall_with_pings_goes_on(instance: SimulatedProvider) -> None:
    """A stall can be filled with comments and can end."""
    instance.enqueue(stall(1, ping=0.02, seconds=0.1))
    body = parsed(streamed(instance))[2]
    assert body.count(b": ping\n\n") == 5
    assert body.endswith(b"data: [DONE]\n\n")


def test_pace(instance: SimulatedProvider) -> None:
    """`pace` parts the frames in time."""
    instance.reply("one two three").set(pace=0.02)
    began = time.monotonic()
    parsed(streamed(instance))
    assert time.monotonic() - began >= 0.08


def test_fragments_ignore_frames(instance: SimulatedProvider) -> None:
    """`fragment` cuts the same bytes into chunks of its own size."""
    instance.reply("snowman ☃ says hello")
    whole = frames(parsed(streamed(instance))[2])
    instance.enqueue("snowman ☃ says hello", fragment=1)
    data = streamed(instance)
    assert data.count(b"\r\n1\r\n") > 500
    assert len(frames(parsed(data)[2])) == len(whole)


def test_a_client_that_leaves_is_recorded(instance: SimulatedProvider) -> None:
    """Leaving during the wait, or in the middle of a stream, marks the request as disconnected."""
    instance.enqueue("late", latency=30).enqueue("slow and long", pace=0.05)
    for body in (BODY, {**BODY, "stream": True}):
        with connect(instance) as sock:
            sock.sendall(request(body))
            assert instance.wait_for(lambda i: i.in_flight == 1)
        assert instance.wait_for(lambda i: i.requests[-1].disconnected)
    assert [r.disconnected for r in instance.requests] == [True, True]


def test_stream_faults_leave_whole_answers_alone(instance: SimulatedProvider) -> None:
    """A stream fault used up by a request that is not streamed changes nothing."""
    instance.enqueue(StreamFault("reset", 0))
    assert parsed(exchange(instance))[0] == 200
    assert instance.pending == 0
