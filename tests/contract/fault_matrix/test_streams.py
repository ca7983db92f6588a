"""Rows 42 to 47: streams that break, stall or are given up by their consumer."""

import gc
import json
import threading
import time
from typing import Any

import pytest

from flyllm import LLMError, StreamInterruptedError
from flyllm.testing import Behaviour, ErrorKind, cut, error_event, garbage, stall
from tests.contract.fault_matrix.invariants import answer_to, eventually
from tests.contract.fault_matrix.raw import chunks
from tests.contract.fault_matrix.rows import row
from tests.contract.fault_matrix.world import World

SERVERS = pytest.mark.parametrize("provider", ["openai", "groq", "anthropic"])
FIRST = {"openai": 1, "groq": 1, "anthropic": 2}
"""Frames before the first content."""


def fleet(provider: str, count: int) -> list[str]:
    """Return `count` providers of which the first is `provider`."""
    return [provider, "openai", "groq"][:count]


@row(42)
@SERVERS
@pytest.mark.parametrize("kind", [ErrorKind.SERVER_ERROR, ErrorKind.OVERLOADED], ids=lambda kind: kind.name)
def test_an_error_before_the_first_content_fails_over(provider: str, count: int, kind: ErrorKind) -> None:
    """Nobody has seen anything yet, so the answer comes from elsewhere, or from there again."""
    with World(*fleet(provider, count)) as world:
        world.servers[0].enqueue(error_event(FIRST[provider], kind))
        world.send("stream", 4)
        assert not world.failures
        assert world.wire == 5


@row(42)
@SERVERS
def test_an_error_after_the_first_content_interrupts(provider: str, count: int) -> None:
    """What was handed over is not replayed: the error has the text so far and the provider's own words."""
    with World(*fleet(provider, count)) as world:
        world.servers[0].enqueue(error_event(FIRST[provider] + 3, message="The wheels came off."))
        world.send("stream", 4)
        (result,) = world.failures
        assert isinstance(result.error, StreamInterruptedError)
        assert "The wheels came off." in str(result.error.cause)
        assert 0 < len(result.text) < len(answer_to(result.prompt))
        assert world.wire == 4


@row(43)
@SERVERS
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_stream_cut_anywhere_is_failed_over_or_interrupted(provider: str, count: int, how: Any) -> None:
    """In a chunk, a character or a JSON text: either another one answers unseen, or the partial text is exact."""
    with World(*fleet(provider, count)) as world:
        for offset in range(40, 1400, 97):
            world.servers[0].clear().enqueue(cut(at_byte=offset, how=how))
            world.send("stream", count)
        assert all(isinstance(result.error, StreamInterruptedError) for result in world.failures)
        assert all(result.text for result in world.failures)
        # A reset may overtake the bytes before it; with others there, the instance may soon be left alone.
        assert world.failures or how == "reset" or count > 1
        assert len(world.failures) < len(world.results)


@row(43)
@SERVERS
def test_an_event_that_is_no_json_fails_over_or_interrupts(provider: str, count: int) -> None:
    """Garbage is not skipped: what it stood for is missing."""
    with World(*fleet(provider, count)) as world:
        world.servers[0].enqueue(garbage(FIRST[provider]))
        world.send("stream", 3)
        assert not world.failures
        world.servers[0].enqueue(garbage(FIRST[provider] + 2))
        world.send("stream", 3)
        assert [type(result.error) for result in world.failures] == [StreamInterruptedError]


@row(44)
@SERVERS
def test_a_clean_end_without_the_terminal_event_is_an_interruption(provider: str, count: int) -> None:
    """The bytes end as they should and the answer does not: it is not whole, whatever SDKs say."""
    with World(*fleet(provider, count)) as world:
        world.servers[0].enqueue(cut(FIRST[provider] + 3))
        world.send("stream", 3)
        (result,) = world.failures
        assert isinstance(result.error, StreamInterruptedError)
        world.servers[0].enqueue(cut(FIRST[provider]))
        assert all(each.ok for each in world.send("stream", 3))


@row(45)
@SERVERS
def test_a_stall_before_content_fails_over(provider: str, count: int) -> None:
    """Silence before the first content costs the attempt's timeout and nothing else."""
    with World(*fleet(provider, count), speed=1.0, default_attempt_timeout=0.3) as world:
        world.servers[0].enqueue(stall(FIRST[provider]))
        results = world.send("stream", 3)
        assert not world.failures
        assert all(result.seconds < 1.5 for result in results)


@row(45)
@SERVERS
def test_a_stall_after_content_interrupts(provider: str) -> None:
    """Silence in the middle of an answer ends at a timeout, with the text so far."""
    with World(provider, speed=1.0, default_attempt_timeout=0.3) as world:
        world.servers[0].enqueue(stall(FIRST[provider] + 3))
        (result,) = world.send("stream")
        assert isinstance(result.error, StreamInterruptedError)
        assert result.text
        assert result.seconds < 1.5


@row(45)
@SERVERS
@pytest.mark.timeout(10)
@pytest.mark.parametrize("after", [0, 3], ids=["before content", "after content"])
def test_comments_do_not_keep_a_stream_for_ever(provider: str, after: int) -> None:
    """A stream of which nothing comes but `: ping` ends at the request's deadline at the latest."""
    with World(provider, speed=1.0, default_attempt_timeout=0.5, max_retries=0) as world:
        world.servers[0].enqueue(stall(FIRST[provider] + after, ping=0.05))
        (result,) = world.send("stream", timeout=1.0)
        assert isinstance(result.error, LLMError)
        assert result.seconds < 1.8
        assert bool(result.text) == bool(after)


def _mixed_ends(body: bytes) -> bytes:
    ends = [b"\n", b"\r", b"\r\n"]  # in this order no CR meets the LF of an empty line
    return b"".join(line + ends[n % 3] for n, line in enumerate(body.split(b"\n")))


def _with_strange_fields(body: bytes) -> bytes:
    odd = b"id: 7\nretry: 10000\nnonsense: 1\nevent: unheard_of\n"
    return b": hello\n\n" + odd + b"\n" + body.replace(b"data: ", b"retry: 5\nid\ndata:", 1)


ODD = {
    "CRLF": lambda body: body.replace(b"\n", b"\r\n"),
    "CR": lambda body: body.replace(b"\n", b"\r"),
    "mixed": _mixed_ends,
    "no blank line at the end": lambda body: body.rstrip(b"\n"),
    "no space after data:": lambda body: body.replace(b"data: ", b"data:"),
    "strange fields": _with_strange_fields,
}


@row(46)
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("fragment", [None, 1, 7])
def test_events_are_read_as_the_standard_says(odd: str, fragment: int | None) -> None:
    """Whatever ends its lines, wherever the pieces are cut: the same answer, from one wire."""
    body = ODD[odd](chunks("Wörld ✓ and more."))
    with World("openai", echoes=False, max_retries=0) as world:
        kind = "text/event-stream"
        world.servers[0].always(Behaviour(body=body, content_type=kind, fragment=fragment))
        (result,) = world.send("stream")
        assert result.text == "Wörld ✓ and more."
        assert world.wire == 1


@row(46)
@SERVERS
def test_events_may_be_split_at_every_byte(provider: str) -> None:
    """A chunk per byte is the same answer."""
    with World(provider, max_retries=0) as world:
        world.servers[0].set(fragment=1)
        world.send("stream", 2)
        assert not world.failures
        assert world.wire == 2


@row(46)
def test_data_over_several_lines_is_one_event() -> None:
    """Lines of data are joined; a line of JSON may be broken where JSON allows it."""
    event = json.dumps({"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}, indent=1)
    body = "".join(f"data: {line}\n" for line in event.split("\n")) + "\ndata: [DONE]\n\n"
    with World("openai", echoes=False, max_retries=0) as world:
        world.servers[0].always(Behaviour(body=body.encode(), content_type="text/event-stream"))
        (result,) = world.send("stream")
        assert result.text == "Hi"


# ---- consumers that go away


def _close_early(world: World) -> None:
    with world.manager.generate_stream("request-0000") as stream:
        next(stream)


def _raise_inside(world: World) -> None:
    try:
        with world.manager.generate_stream("request-0000") as stream:
            next(stream)
            raise KeyError("the consumer has a bug")
    except KeyError:
        pass


def _drop(world: World) -> None:
    next(world.manager.generate_stream("request-0000"))
    gc.collect()


def _drop_in_another_thread(world: World) -> None:
    held = [world.manager.generate_stream("request-0000")]
    next(held[0])
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    gc.collect()


@row(47)
@SERVERS
@pytest.mark.parametrize("leave", [_close_early, _raise_inside, _drop, _drop_in_another_thread])
def test_a_stream_given_up_frees_all_within_a_second(provider: str, leave: Any) -> None:
    """However the consumer leaves, the provider stops, the place is free, and the next request is served."""
    with World(provider, each={"max_concurrency": 1}) as world:
        server = world.servers[0].set(pace=0.2)
        leave(world)
        began = time.monotonic()
        assert server.wait_for(lambda s: s.in_flight == 0, timeout=1.0)
        eventually(lambda: world.manager.instances[0].in_flight == 0, "the lease is out", 1.0)
        assert time.monotonic() - began < 1.0
        server.set(pace=0.0)
        assert server.requests[0].disconnected
        first, world._asked = world.manager.generate("request-0000"), 0
        assert first.content == answer_to("request-0000")
