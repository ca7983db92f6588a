"""How much the server alone can do: raw sockets, nothing in between. It must be far above what any run asks of it."""

import selectors
import socket
import time
from urllib.parse import urlsplit

from benchmarks.goodput.control import ServerProcess
from benchmarks.goodput.world import Provider, World

_CONNECTIONS = 128
_BODY = b'{"model":"m","messages":[{"role":"user","content":"0"}]}'
_REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


def server_capacity(server: ServerProcess, requests: int = 3000) -> float:
    """Return requests per second that `server` answers when nobody waits."""
    urls = server.open(World(0, 1, 1.0, (Provider(),) * 4))
    selector = selectors.DefaultSelector()
    for number in range(_CONNECTIONS):
        place = urlsplit(urls[number % len(urls)])
        selector.register(socket.create_connection((place.hostname or "", place.port or 0)), selectors.EVENT_READ)
    began = time.monotonic()
    for key in list(selector.get_map().values()):
        _send(key)
    answered = 0
    while answered < requests:
        for key, _ in selector.select(5):
            assert isinstance(key.fileobj, socket.socket)
            # An answer is smaller than a segment: it comes whole.
            assert key.fileobj.recv(65536).startswith(b"HTTP/1.1 200")
            answered += 1
            _send(key)
    seconds = time.monotonic() - began
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    selector.close()
    server.begin()
    server.end()
    return answered / seconds


def _send(key: selectors.SelectorKey) -> None:
    assert isinstance(key.fileobj, socket.socket)
    key.fileobj.sendall(_REQUEST)
