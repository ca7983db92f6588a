"""What goes over the wire, byte by byte, when an answer is wrong or breaks; read with plain sockets."""

import json
from collections.abc import Iterator

import pytest

from flyllm.testing import (
    Behaviour,
    ErrorKind,
    Fault,
    ProviderSimulator,
    SimulatedProvider,
)
from tests.contract.simulator_sockets import BODY, connect, exchange, parsed, request, streamed


@pytest.fixture
def instance() -> Iterator[SimulatedProvider]:
    with ProviderSimulator() as simulator:
        yield simulator["openai"]


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
