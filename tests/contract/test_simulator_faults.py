"""What goes over the wire, byte by byte, when the simulator misbehaves; read with plain sockets."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import h11
import pytest

from flyllm.testing import (
    PROVIDERS,
    Behaviour,
    ErrorKind,
    Fault,
    ProviderSimulator,
    SimulatedProvider,
    StreamFault,
    cut,
    error_event,
    garbage,
    lognormal,
    stall,
)

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
def instance() -> Iterator[SimulatedProvider]:
    with ProviderSimulator() as simulator:
        yield simulator["openai"]


def request(body: Any = BODY, path: str = "/v1/chat/completions", method: str = "POST", key: str = "k") -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {len(raw)}\r\n\r\n"
    return head.encode() + raw


def connect(instance: SimulatedProvider) -> socket.socket:
    return socket.create_connection(("127.0.0.1", instance.port), timeout=5)


def read_all(sock: socket.socket, silence: float = 0.2) -> bytes:
    """Everything up to the end of the connection, or to `silence` seconds without a byte."""
    sock.settimeout(silence)
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
    except TimeoutError:
        pass
    return data


def exchange(instance: SimulatedProvider, body: Any = BODY, **options: Any) -> bytes:
    """Everything the server sends on a connection of its own, which closes after the answer."""
    with connect(instance) as sock:
        sock.sendall(request(body, **options).replace(b"host: x", b"host: x\r\nconnection: close"))
        return read_all(sock, 5)


def parsed(data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a complete answer."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(data)
    head, body = parser.next_event(), b""
    assert isinstance(head, h11.Response)
    while isinstance(event := parser.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage), "the answer is not complete"
    return head.status_code, {k.decode(): v.decode() for k, v in head.headers}, body


def streamed(instance: SimulatedProvider) -> bytes:
    return exchange(instance, {**BODY, "stream": True})


def test_keep_alive_serves_many_requests_on_one_connection(instance: SimulatedProvider) -> None:
    """Requests follow each other on a connection, sent one by one or all at once."""
    with connect(instance) as sock:
        for _ in range(3):
            sock.sendall(request())
            assert parsed(sock.recv(65536))[0] == 200
        sock.sendall(request() * 3)
        assert read_all(sock).count(b"HTTP/1.1 200") == 3
    assert (instance.connections, instance.count) == (1, 6)
    assert {r.connection for r in instance.requests} == {1}


def test_connection_close_is_honoured(instance: SimulatedProvider) -> None:
    """A client, or a behaviour, that asks for it gets the connection closed after the answer."""
    with connect(instance) as sock:
        sock.sendall(request().replace(b"host: x", b"host: x\r\nconnection: close"))
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        assert sock.recv(1) == b""
    instance.enqueue(Behaviour(headers={"connection": "close"}))
    with connect(instance) as sock:
        sock.sendall(request())
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        assert sock.recv(1) == b""


def test_expect_continue(instance: SimulatedProvider) -> None:
    """A client that waits for leave to send its body gets it."""
    head, _, body = request().partition(b"\r\n\r\n")
    with connect(instance) as sock:
        sock.sendall(head + b"\r\nexpect: 100-continue\r\n\r\n")
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert parsed(sock.recv(65536))[0] == 200


def test_not_http_is_a_bad_request(instance: SimulatedProvider) -> None:
    """Bytes that are no HTTP are answered with 400 and the end of the connection."""
    with connect(instance) as sock:
        sock.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert read_all(sock).startswith(b"HTTP/1.1 400")


def test_idle_connections_close(instance: SimulatedProvider) -> None:
    """With `idle_timeout` a connection that waits for its next request is closed."""
    instance.set(idle_timeout=0.05)
    with connect(instance) as sock:
        sock.sendall(request())
        assert sock.recv(65536)
        assert sock.recv(1) == b""


# ---- answers that are complete and wrong


@pytest.mark.parametrize(
    ("fault", "content_type", "body"),
    [
        (Fault.EMPTY, "application/json", b""),
        (Fault.NULL, "application/json", b"null"),
        (Fault.EMPTY_OBJECT, "application/json", b"{}"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_odd_bodies(instance: SimulatedProvider, fault: Fault, content_type: str, body: bytes, stream: bool) -> None:
    """Odd bodies come complete and with status 200, streamed or not."""
    instance.enqueue(fault)
    status, headers, got = parsed(exchange(instance, {**BODY, "stream": stream}))
    assert (status, headers["content-type"], got) == (200, content_type, body)


def test_html_page(instance: SimulatedProvider) -> None:
    """A login page is HTML with status 200."""
    instance.enqueue(Fault.HTML)
    status, headers, body = parsed(exchange(instance))
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert body.startswith(b"<!DOCTYPE html>")


def test_error_with_200(instance: SimulatedProvider) -> None:
    """The provider's error body can come with status 200."""
    instance.enqueue(Fault.ERROR_WITH_200, error=ErrorKind.RATE_LIMIT)
    status, _, body = parsed(exchange(instance))
    assert status == 200
    assert json.loads(body)["error"]["code"] == "rate_limit_exceeded"


def test_truncated_json(instance: SimulatedProvider) -> None:
    """Truncated JSON is complete as HTTP and broken as JSON."""
    instance.enqueue(Fault.TRUNCATED_JSON)
    status, _, body = parsed(exchange(instance))
    assert status == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(body)
    instance.enqueue(Fault.TRUNCATED_JSON)
    assert b"[DONE]" not in parsed(streamed(instance))[2]


def test_explicit_answer(instance: SimulatedProvider) -> None:
    """Status, headers, content type and body can be given byte by byte."""
    instance.enqueue(Behaviour(status=418, headers={"x-own": "1"}, body=b"short and stout", content_type="text/plain"))
    status, headers, body = parsed(exchange(instance))
    assert (status, headers["x-own"], headers["content-type"], body) == (418, "1", "text/plain", b"short and stout")
    assert "x-request-id" in headers


def test_wrong_content_type_on_a_stream(instance: SimulatedProvider) -> None:
    """The frames of a stream can come under another content type."""
    instance.enqueue("text", content_type="application/json")
    _, headers, body = parsed(streamed(instance))
    assert headers["content-type"] == "application/json"
    assert body.endswith(b"data: [DONE]\n\n")


# ---- answers that break


def test_cut_in_headers(instance: SimulatedProvider) -> None:
    """The connection can close inside the headers."""
    instance.enqueue(Fault.CUT_IN_HEADERS)
    data = exchange(instance)
    assert data.startswith(b"HTTP/1.1 200")
    assert b"\r\n\r\n" not in data


def test_cut_after_headers(instance: SimulatedProvider) -> None:
    """The connection can close between headers and body."""
    instance.enqueue(Fault.CUT_AFTER_HEADERS)
    data = exchange(instance)
    assert data.endswith(b"\r\n\r\n")


def test_short_body(instance: SimulatedProvider) -> None:
    """Content-Length can promise more than comes."""
    instance.enqueue(Fault.SHORT_BODY)
    head, _, body = exchange(instance).partition(b"\r\n\r\n")
    promised = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert 0 < len(body) < promised


def test_cut_in_a_chunk(instance: SimulatedProvider) -> None:
    """A chunked body can end inside a chunk."""
    instance.enqueue(Fault.CUT_IN_CHUNK)
    head, _, body = exchange(instance).partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    size, _, rest = body.partition(b"\r\n")
    assert 0 < len(rest) < int(size, 16)


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.RESET_ON_ACCEPT])
def test_resets_are_resets(instance: SimulatedProvider, fault: Fault) -> None:
    """A reset is an RST, not an orderly end; before the request is read it leaves no record of it."""
    instance.enqueue(fault)
    with pytest.raises(ConnectionResetError):
        exchange(instance)
    assert instance.count == (1 if fault is Fault.RESET else 0)
    assert instance.pending == 0


def test_close_without_an_answer(instance: SimulatedProvider) -> None:
    """The server can close in good order without a byte of answer."""
    instance.enqueue(Fault.CLOSE)
    assert exchange(instance) == b""


def test_reset_on_accept_hits_a_kept_connection_at_its_next_request(instance: SimulatedProvider) -> None:
    """Where no new connection is made, the fault meets the next request instead."""
    with connect(instance) as sock:
        sock.sendall(request())
        sock.recv(65536)
        instance.enqueue(Fault.RESET_ON_ACCEPT)
        sock.sendall(request())
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


@pytest.mark.parametrize("fault", [Fault.SLOW_HEADERS, Fault.SLOW_BODY])
def test_trickling(instance: SimulatedProvider, fault: Fault) -> None:
    """Headers or body come byte by byte and are complete in the end."""
    instance.reply("x").enqueue(fault, pace=0.0005)
    with connect(instance) as sock:
        sock.sendall(request().replace(b"host: x", b"host: x\r\nconnection: close"))
        pieces = list(iter(lambda: sock.recv(65536), b""))
    assert parsed(b"".join(pieces))[0] == 200
    assert len(pieces) > 20


def test_a_default_fault_stays(instance: SimulatedProvider) -> None:
    """A fault can be the default, until `reset`."""
    instance.always(Fault.CLOSE)
    assert [exchange(instance), exchange(instance)] == [b"", b""]
    instance.reset()
    assert parsed(exchange(instance))[0] == 200


# ---- streams


def frames(body: bytes) -> list[bytes]:
    return [frame for frame in body.split(b"\n\n") if frame]


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


# ---- time, ports, connections


def test_latency(instance: SimulatedProvider) -> None:
    """Latency is a number of seconds or drawn from a distribution."""
    instance.set(latency=0.05)
    began = time.monotonic()
    parsed(exchange(instance))
    assert time.monotonic() - began >= 0.05
    instance.set(latency=lognormal(0.01))
    assert parsed(exchange(instance))[0] == 200


def test_down_and_up_on_the_same_port(instance: SimulatedProvider) -> None:
    """While down the port refuses and open connections are reset; it comes back by itself where told so."""
    with connect(instance) as sock:
        sock.sendall(request())
        sock.recv(65536)
        instance.down()
        with pytest.raises(ConnectionError):
            connect(instance)
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    instance.up()
    assert parsed(exchange(instance))[0] == 200
    instance.down(seconds=0.05)
    with pytest.raises(ConnectionError):
        connect(instance)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            assert parsed(exchange(instance))[0] == 200
            break
        except ConnectionError:
            time.sleep(0.01)
    else:
        pytest.fail("the port did not come back")


def test_a_port_that_is_taken_is_an_error(instance: SimulatedProvider) -> None:
    """A fixed port is opened as asked or not at all."""
    with ProviderSimulator() as other, pytest.raises(OSError, match="in use"):
        other.add("openai", port=instance.port)


def test_concurrency_limit(instance: SimulatedProvider) -> None:
    """Requests beyond `concurrency` at once get a 429; the others are answered."""
    instance.set(concurrency=2, latency=0.2)
    socks = [connect(instance) for _ in range(3)]
    for sock in socks:
        sock.sendall(request())
    assert instance.wait_for(lambda i: i.count == 3)
    statuses = sorted(parsed(sock.recv(65536))[0] for sock in socks)
    for sock in socks:
        sock.close()
    assert statuses == [200, 200, 429]
    assert instance.peak_in_flight == 3


@pytest.mark.parametrize("provider", PROVIDERS)
def test_local_servers_alone_need_no_key(provider: str) -> None:
    """Without a key LM Studio and Ollama answer, the others say 401 (Google: 400, as it does)."""
    with ProviderSimulator() as sim:
        body = {**BODY, "prompt": "Hi", "contents": [{"parts": [{"text": "Hi"}]}], "max_tokens": 5}
        raw = request(body, path=_CHAT_PATHS.get(provider, "/v1/chat/completions"))
        with connect(sim[provider]) as sock:
            sock.sendall(raw.replace(b"authorization: Bearer k", b"connection: close"))
            status = parsed(read_all(sock, 5))[0]
    expected = {"lmstudio": 200, "ollama": 200, "google": 400}.get(provider, 401)
    assert status == expected


_CHAT_PATHS = {
    "anthropic": "/v1/messages",
    "google": "/v1beta/models/m:generateContent",
    "cohere": "/v2/chat",
    "groq": "/openai/v1/chat/completions",
    "ollama": "/api/chat",
}


# ---- turned down


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[1]", 400), ({"model": "m"}, 400), ({"messages": []}, 400), ({}, 400)]
)
def test_bad_requests(instance: SimulatedProvider, body: Any, status: int) -> None:
    """Requests that the provider does not accept get its 400 and use up no scripted answer."""
    instance.enqueue("scripted")
    got, _, raw = parsed(exchange(instance, body))
    assert got == status
    assert json.loads(raw)["error"]["type"] == "invalid_request_error"
    assert instance.pending == 1


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/nothing"), ("GET", "/v1/chat/completions"), ("GET", "/")])
def test_unknown_paths(instance: SimulatedProvider, method: str, path: str) -> None:
    """Unknown paths and methods get the provider's 404."""
    status, _, raw = parsed(exchange(instance, b"", method=method, path=path))
    assert status == 404
    assert json.loads(raw)["error"]["message"] == f"Invalid URL ({method} {path.rstrip('/')})"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_answers_an_unknown_path(provider: str) -> None:
    """All ten providers say in some way that there is nothing at a path."""
    with ProviderSimulator() as sim:
        status, _, body = parsed(exchange(sim[provider], b"", method="GET", path="/there/is/nothing"))
    assert body
    # LM Studio answers 200 with an error text.
    assert status == (200 if provider == "lmstudio" else 404)
