"""Plain sockets against a simulated OpenAI: requests as bytes, answers as they come."""

import json
import socket
from typing import Any

import h11

from flyllm.testing import SimulatedProvider

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


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


def frames(body: bytes) -> list[bytes]:
    return [frame for frame in body.split(b"\n\n") if frame]
