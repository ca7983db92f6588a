"""The simulator as an HTTP server: connections, ports, time, limits, and what it turns down."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from flyllm.testing import (
    PROVIDERS,
    Behaviour,
    ProviderSimulator,
    SimulatedProvider,
    lognormal,
)
from tests.contract.simulator_sockets import BODY, connect, exchange, parsed, read_all, request


@pytest.fixture
def instance() -> Iterator[SimulatedProvider]:
    with ProviderSimulator() as simulator:
        yield simulator["openai"]


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
