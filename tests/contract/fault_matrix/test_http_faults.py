"""Rows 11 to 16, 38 to 41 and 60: answers that came and are no answers, or odd ones."""

import json
import os
import socket
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from flyllm import LLMError, ModelNotFoundError, ParseError, ServerError, StreamInterruptedError
from flyllm.testing import Behaviour, Fault, ProviderSimulator, Reply
from tests.contract.fault_matrix.invariants import CANARY, answer_to
from tests.contract.fault_matrix.raw import RawServer, Script, chunks, completion, reply, sse_reply, whole_choice
from tests.contract.fault_matrix.rows import row
from tests.contract.fault_matrix.world import World

PAGE = b"<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>"
MIB = 1024 * 1024
CAP = 64 * MIB


def proxy_page(status: int) -> Behaviour:
    """Return a proxy's error page."""
    return Behaviour(status=status, body=PAGE, content_type="text/html")


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(Fault.SHORT_BODY, id="short body", marks=row(11)),
        pytest.param(Fault.CUT_IN_CHUNK, id="cut in chunk", marks=row(12)),
        pytest.param(Fault.TRUNCATED_JSON, id="truncated json", marks=row(13)),
        pytest.param(Fault.HTML, id="login page", marks=row(14)),
        pytest.param(proxy_page(502), id="502 page", marks=row(15)),
        pytest.param(proxy_page(504), id="504 page", marks=row(15)),
        pytest.param(500, id="500", marks=row(16)),
        pytest.param(408, id="408", marks=row(16)),
        pytest.param(Fault.ERROR_WITH_200, id="error in a 200", marks=row(42)),
    ],
)
def test_what_is_no_answer_is_asked_for_again(way: str, count: int, failure: Any) -> None:
    """One more wire request brings the answer; a stream that had begun says what is missing instead."""
    with World(count) as world:
        world.servers[0].enqueue(failure)
        world.send(way, 4)
        if not _cuts_a_stream(way, failure):
            assert not world.failures
            assert world.wire == 5
        assert all(isinstance(result.error, StreamInterruptedError) for result in world.failures)


def _cuts_a_stream(way: str, failure: Any) -> bool:
    return way == "stream" and failure in (Fault.SHORT_BODY, Fault.CUT_IN_CHUNK, Fault.TRUNCATED_JSON)


@row(14)
def test_a_login_page_is_quoted_briefly_and_without_the_key(way: str) -> None:
    """An excerpt of 200 characters tells what came; a key on the page does not show."""
    page = f"<html><body>{CANARY} sk-CANARY0-{CANARY}0 {'x' * 5000}</body></html>".encode()
    with World(1, max_retries=0) as world:
        world.servers[0].always(Behaviour(body=page, content_type="text/html"))
        (result,) = world.send(way)
        assert isinstance(result.error, ParseError)
        assert len(str(result.error)) < 350


@row(16)
def test_a_burst_of_errors_is_ridden_out(way: str, count: int) -> None:
    """Failures everywhere, then all is well: every request is answered, with one wire more for each failure."""
    with World(count) as world:
        burst = 4 if count == 1 else 1  # fewer in all than one request may meet
        for server in world.servers:
            server.fail(500, times=burst)
        world.send(way, 12, workers=3)
        assert not world.failures
        assert world.wire == 12 + burst * count


@row(16)
@pytest.mark.parametrize("retries", [0, 2])
def test_retries_are_bounded(way: str, count: int, retries: int) -> None:
    """`max_retries` further attempts are made, no more, and the last error is raised."""
    with World(count, max_retries=retries) as world:
        for server in world.servers:
            server.always(500)
        (result,) = world.send(way)
        assert isinstance(result.error, ServerError)
        assert world.wire == 1 + retries


# ---- redirects


@row(38)
@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_is_not_followed(way: str, count: int, status: int) -> None:
    """The key never travels to another host; others take over, or the error names where the redirect leads."""
    with ProviderSimulator() as elsewhere, World(count) as world:
        target = elsewhere["openai"]
        world.servers[0].always(status, body=b"", headers={"location": target.url + "/v1/chat/completions"})
        world.send(way, 6)
        assert target.connections == 0
        assert bool(world.failures) == (count == 1)
        for result in world.failures:
            assert isinstance(result.error, ModelNotFoundError)
            assert f"127.0.0.1:{target.port}" in str(result.error)


# ---- sizes


def _endless(head: str, piece: bytes) -> Script:
    """Send `head`, then `piece` for as long as the client reads, but 120 MiB at most."""

    def play(server: RawServer, connection: socket.socket) -> None:
        server.read(connection)
        server.send(connection, f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())
        while server.sent < 120 * MIB:
            server.send(connection, piece)

    return play


@cache
def _bomb() -> bytes:
    """Return a gzip file of 300 MiB of blanks."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    return b"".join([*(packer.compress(b" " * MIB) for _ in range(300)), packer.flush()])


def _gzip_bomb(server: RawServer, connection: socket.socket) -> None:
    server.read(connection)
    server.send(connection, reply(_bomb(), "200 OK", "content-encoding: gzip"))


HUGE: dict[str, Script] = {
    "body": _endless("content-type: application/json\r\ncontent-length: 5000000000\r\n", b" " * MIB),
    "headers": _endless("x-pad: " + "x" * 1000, b"x-more: " + b"x" * 65536 + b"\r\n"),
    "line of a stream": _endless("content-type: text/event-stream\r\nconnection: close\r\n", b"data: " + b"x" * MIB),
    "gzip": _gzip_bomb,
}


@row(39)
@pytest.mark.parametrize("what", HUGE)
@pytest.mark.parametrize("way", ["generate", "stream"])
def test_an_answer_without_end_is_aborted(way: str, what: str) -> None:
    """A body beyond 64 MiB, headers beyond 64 KiB or a compressed bomb is an error, not a heap of memory."""
    with RawServer(HUGE[what]) as server, World(server, max_retries=0, speed=1.0) as world:
        _bomb()
        before = _reset_peak()
        (result,) = world.send(way, timeout=20.0)
        assert isinstance(result.error, LLMError)
        assert server.sent <= CAP + 16 * MIB
        assert _peak() - before < 100 * MIB


def _reset_peak() -> int:
    """Return the memory used now, and have the system forget the peak so far."""
    if not os.path.exists("/proc/self/clear_refs"):
        pytest.skip("no peak memory without /proc")
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


# ---- odd bytes and odd choices


def _said(text: bytes, streamed: bool) -> Behaviour:
    """Return a behaviour that answers with `text`, put between the quotes of the JSON as it is."""
    body = chunks("@") if streamed else completion("@")
    kind = "text/event-stream" if streamed else "application/json"
    return Behaviour(body=body.replace(b'"@"', b'"' + text + b'"'), content_type=kind)


@row(40)
@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"a\xffb", None), (b"a\\u0000b", "a\0b"), (b"a\\ud83db", "a\ud83db"), (b"\xe2\x80\xa8", "\u2028")],
    ids=["invalid UTF-8", "NUL", "lone surrogate", "line separator"],
)
def test_odd_characters_are_kept_or_asked_for_again(way: str, count: int, raw: bytes, text: str | None) -> None:
    """What JSON takes for text is kept as it is; what is no text is replaced or asked for again; nothing crashes."""
    with World(count, echoes=False) as world:
        world.servers[0].enqueue(_said(raw, way == "stream"))
        results = world.send(way, 3)
        assert not world.failures
        said = [result.text for result in results if result.text != answer_to(result.prompt)]
        assert len(said) <= 1
        assert text is None or said in ([text], [])


@row(40)
def test_a_byte_order_mark_is_no_part_of_the_answer(way: str) -> None:
    """A mark before the JSON or the first event is passed over."""
    body = chunks("Hello.") if way == "stream" else completion("Hello.")
    kind = "text/event-stream" if way == "stream" else "application/json"
    with World(1, echoes=False) as world:
        world.servers[0].always(Behaviour(body=b"\xef\xbb\xbf" + body, content_type=kind))
        (result,) = world.send(way)
        assert result.text == "Hello."
        assert world.wire == 1


CALL = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}


def _choice(index: int = 0, **message: Any) -> dict[str, Any]:
    return {**whole_choice(""), "index": index, "message": {"role": "assistant", **message}}


def _odd(choices: list[dict[str, Any]], streamed: bool, usage: Any) -> Behaviour:
    """Return a behaviour that answers with `choices`, each in one event where it is streamed."""
    data: dict[str, Any] = {} if usage is None else {"usage": usage}
    if not streamed:
        return Behaviour(body=json.dumps({"choices": choices, **data}).encode())
    deltas = [{**{k: v for k, v in c.items() if k != "message"}, "delta": _delta(c["message"])} for c in choices]
    text = f"data: {json.dumps({'choices': deltas, **data})}\n\ndata: [DONE]\n\n"
    return Behaviour(body=text.encode(), content_type="text/event-stream")


def _delta(message: dict[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    return {**message, "tool_calls": [{"index": n, **call} for n, call in enumerate(calls)]} if calls else message


@row(41)
@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ([_choice(content="one"), _choice(content="two")], "one"),
        ([_choice(1, content="second"), _choice(0, content="first")], "first"),
        ([_choice(content=None)], ""),
        ([_choice(content=None, tool_calls=[CALL])], ""),
    ],
    ids=["duplicate index", "n is 2", "null content", "only tool calls"],
)
def test_odd_choices_have_one_reading(way: str, choices: list[dict[str, Any]], text: str) -> None:
    """The first answer counts; no content is no text, and tool calls are an answer."""
    with World(1, echoes=False) as world:
        world.servers[0].always(_odd(choices, way == "stream", None))
        (result,) = world.send(way)
        assert result.ok
        assert result.text == text
        assert world.wire == 1
        assert result.response is not None
        assert len(result.response.tool_calls) == ("tool_calls" in choices[0]["message"])


@row(41)
def test_no_choices_are_no_answer(way: str, count: int) -> None:
    """An answer without choices is asked for again."""
    with World(count) as world:
        world.servers[0].enqueue(_odd([], way == "stream", None))
        world.send(way, 3)
        assert not world.failures
        assert world.wire == 4


@row(41)
@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, None),
        ({"prompt_tokens": "11", "completion_tokens": "7"}, 18),
        ({"prompt_tokens": "many", "completion_tokens": -1}, None),
        ("none", None),
    ],
    ids=["missing", "strings", "nonsense", "text"],
)
def test_odd_usage_does_not_poison_the_counters(way: str, usage: Any, tokens: int | None) -> None:
    """What is a number counts, what is none is unknown, and later usage adds up."""
    with World(1, echoes=False) as world:
        world.servers[0].enqueue(_odd([_choice(content="Hi")], way == "stream", usage))
        (result,) = world.send(way)
        assert result.response is not None
        assert result.response.usage.total_tokens == tokens
        world.servers[0].always(Reply("Hi", prompt_tokens=2, completion_tokens=3))
        world.send(way)
        assert world.manager.total_usage().total_tokens == (tokens or 0) + 5


# ---- HTTP's own oddities


@row(60)
def test_a_proxy_in_the_environment_is_passed_by(way: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable can send a key elsewhere: the endpoint is what the configuration says."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with World(count) as world:
        world.send(way, 3)
        assert not world.failures
        assert world.wire == 3


@row(60)
def test_a_407_is_a_typed_error_of_one_wire(way: str) -> None:
    """A proxy that wants credentials will not change its mind."""
    with World(1) as world:
        world.servers[0].always(proxy_page(407))
        (result,) = world.send(way)
        assert isinstance(result.error, LLMError)
        assert result.error.status_code == 407
        assert world.wire == 1


@row(60)
def test_a_connection_closed_after_each_answer_costs_nothing(way: str, count: int) -> None:
    """`Connection: close` means a new connection each time and no failure."""
    with World(count, max_retries=0) as world:
        for server in world.servers:
            server.set(headers={"connection": "close"})
        world.send(way, 12, workers=3)
        assert not world.failures
        assert world.wire == 12


def _with_hints(body: bytes) -> bytes:
    return b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + body


def _http10(body: bytes) -> bytes:
    head, _, rest = body.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
    return b"\r\n".join([b"HTTP/1.0 200 OK", *lines[1:], b"", rest])


@row(60)
@pytest.mark.parametrize("odd", [_with_hints, _http10], ids=["1xx", "HTTP/1.0"])
def test_old_and_new_http_is_understood(way: str, odd: Callable[[bytes], bytes]) -> None:
    """Informational answers before the real one are passed over; an answer may end with its connection."""

    def play(server: RawServer, connection: socket.socket) -> None:
        request = server.read(connection)
        streamed = request is not None and b"text/event-stream" in request and way == "stream"
        server.send(connection, odd(sse_reply(chunks("Hello.")) if streamed or way == "stream" else _whole()))
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            time.sleep(0.01)

    # The server hangs up without saying so: at times just as the connection is used again.
    with RawServer(play) as server, World(server, echoes=False, max_retries=1, resends=1) as world:
        results = world.send(way, 3)
        assert [result.text for result in results] == ["Hello."] * 3


def _whole() -> bytes:
    return reply(completion("Hello."))
