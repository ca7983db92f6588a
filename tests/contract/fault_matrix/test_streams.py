"""Rows 42 to 47: streams that break, stall or are given up by their consumer; at all ten providers."""

import gc
import json
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from flyllm import LLMError, StreamInterruptedError
from flyllm.providers.registry import REGISTRY
from flyllm.testing import Behaviour, ErrorKind, cut, error_event, garbage, stall
from tests.contract.fault_matrix.invariants import answer_to, eventually
from tests.contract.fault_matrix.raw import chunks
from tests.contract.fault_matrix.rows import row
from tests.contract.fault_matrix.world import World
from tests.contract.streams.plain import Plain
from tests.contract.streams.samples import simulated

EACH = pytest.mark.parametrize("provider", REGISTRY)


@cache
def first(provider: str) -> int:
    """Return how many frames the simulator sends before the first content."""
    sample = simulated(answer_to("request-0000"))[provider, REGISTRY[provider].apis[0].name]
    return next(number for number, state in enumerate(Plain(sample).states[1:]) if state.noticed)


@row(42)
@EACH
def test_an_error_before_the_first_content_fails_over(provider: str) -> None:
    """Nobody has seen anything yet, so the answer comes from elsewhere."""
    with World(provider, "openai") as world:
        world.servers[0].enqueue(error_event(first(provider)))
        world.send("stream", 3)
        assert not world.failures
        assert world.wire == 4


@row(42)
@pytest.mark.parametrize("kind", [ErrorKind.SERVER_ERROR, ErrorKind.OVERLOADED], ids=lambda kind: kind.name)
def test_an_error_before_the_first_content_is_tried_again(count: int, kind: ErrorKind) -> None:
    """Where there is nobody else, the answer comes from there."""
    with World(*["openai", "anthropic", "groq"][:count]) as world:
        world.servers[0].enqueue(error_event(first("openai"), kind))
        world.send("stream", 4)
        assert not world.failures
        assert world.wire == 5


@row(42)
@EACH
def test_an_error_after_the_first_content_interrupts(provider: str) -> None:
    """What was handed over is not replayed: the error has the text so far and the provider's own words."""
    with World(provider, "openai") as world:
        world.servers[0].enqueue(error_event(first(provider) + 3, message="The wheels came off."))
        world.send("stream", 3)
        (result,) = world.failures
        assert isinstance(result.error, StreamInterruptedError)
        assert "The wheels came off." in str(result.error.cause)
        assert 0 < len(result.text) < len(answer_to(result.prompt))
        assert world.wire == 3


@row(43)
@EACH
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_stream_cut_anywhere_is_failed_over_or_interrupted(provider: str, how: Any) -> None:
    """In a chunk, a character or a JSON text: either another one answers unseen, or the partial text is exact."""
    with World(provider) as world:
        for offset in range(40, 1400, 194):
            world.servers[0].clear().enqueue(cut(at_byte=offset, how=how))
            world.send("stream")
        assert all(isinstance(result.error, StreamInterruptedError) for result in world.failures)
        assert all(result.text for result in world.failures)
        assert len(world.failures) < len(world.results)


@row(43)
@EACH
def test_an_event_that_is_no_json_fails_over_or_interrupts(provider: str) -> None:
    """Garbage is not skipped: what it stood for is missing."""
    with World(provider) as world:
        world.servers[0].enqueue(garbage(first(provider)))
        assert all(each.ok for each in world.send("stream", 2))
        world.servers[0].enqueue(garbage(first(provider) + 2))
        world.send("stream", 2)
        assert [type(result.error) for result in world.failures] == [StreamInterruptedError]


@row(44)
@EACH
def test_a_clean_end_without_the_terminal_event_is_an_interruption(provider: str) -> None:
    """The bytes end as they should and the answer does not: it is not whole, whatever SDKs say."""
    with World(provider) as world:
        world.servers[0].enqueue(cut(first(provider) + 3))
        (result,) = world.send("stream")
        assert isinstance(result.error, StreamInterruptedError)
        world.servers[0].enqueue(cut(first(provider)))
        assert all(each.ok for each in world.send("stream", 2))


@row(45)
@EACH
def test_a_stall_before_content_fails_over_and_one_after_it_interrupts(provider: str) -> None:
    """Silence costs a timeout and nothing else, and in the middle of an answer leaves the text so far."""
    second = {1: {"priority": 1}}
    with World(provider, "openai", only=second, speed=1.0, default_attempt_timeout=0.6, idle_timeout=0.6) as world:
        world.manager.warm()
        world.servers[0].enqueue(stall(first(provider)))
        (before,) = world.send("stream")
        world.servers[0].enqueue(stall(first(provider) + 3))
        (after,) = world.send("stream")
        assert before.ok
        assert isinstance(after.error, StreamInterruptedError)
        assert after.text
        assert max(before.seconds, after.seconds) < 20.0  # a busy machine; the silence has no end


@row(45)
@pytest.mark.parametrize("provider", ["openai", "cohere"])  # the two HTTP libraries
@pytest.mark.parametrize("after", [0, 3], ids=["before content", "after content"])
def test_comments_do_not_keep_a_stream_for_ever(provider: str, after: int) -> None:
    """A stream of which nothing comes but `: ping` ends at the request's deadline at the latest."""
    with World(provider, speed=1.0, default_attempt_timeout=1.0, max_retries=0) as world:
        world.manager.warm()
        world.servers[0].enqueue(stall(first(provider) + after, ping=0.05))
        (result,) = world.send("stream", timeout=1.5)
        assert isinstance(result.error, LLMError)
        assert result.seconds < 20.0  # a busy machine; the comments have no end
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
@EACH
def test_events_may_be_split_at_every_byte(provider: str) -> None:
    """A chunk per byte is the same answer."""
    with World(provider, max_retries=0) as world:
        world.servers[0].set(fragment=1)
        world.send("stream")
        assert not world.failures
        assert world.wire == 1


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
    gc.collect(1)


def _drop_in_another_thread(world: World) -> None:
    held = [world.manager.generate_stream("request-0000")]
    next(held[0])
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    gc.collect(1)


WAYS_OUT: tuple[Callable[[World], None], ...] = (_close_early, _raise_inside, _drop, _drop_in_another_thread)


@row(47)
@EACH
def test_a_stream_given_up_frees_all_at_once(provider: str) -> None:
    """However the consumer leaves, the provider stops, the place is free, and the next request is served."""
    with World(provider, each={"max_concurrency": 1}) as world:
        server, said = world.servers[0], first(provider) + 1
        for number, leave in enumerate(WAYS_OUT):
            server.enqueue(stall(said))
            leave(world)
            # Within some seconds of a busy machine: what is not let go of stays for minutes.
            assert server.wait_for(lambda s: s.in_flight == 0, timeout=20.0)
            eventually(lambda: world.manager.instances[0].in_flight == 0, f"the lease is out: {leave.__name__}")
            assert server.requests[2 * number].disconnected
            assert world.manager.generate("request-0000").content == answer_to("request-0000")
