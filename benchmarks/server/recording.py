"""Whole answers of the simulator, byte for byte."""

import socket
from http.client import parse_headers
from io import BytesIO
from urllib.parse import urlsplit

from flyllm.testing import ProviderSimulator

ANSWER = 10 * "Paris is the capital of France. "


class Recorder:
    """Answers of one simulated provider, one for each path: the first good one there."""

    def __init__(self, simulator: ProviderSimulator, provider: str) -> None:
        simulator[provider].reply(ANSWER)
        self._url = urlsplit(simulator.url(provider))
        self._known: dict[bytes, bytes] = {}

    def answer(self, request: bytes) -> bytes:
        """Return what the simulator answers."""
        line = request[: request.index(b"\r\n")]
        known = self._known.get(line)
        if known is None:
            known = self._ask(request)
            if known.startswith(b"HTTP/1.1 200"):
                self._known[line] = known
        return known

    def _ask(self, request: bytes) -> bytes:
        with (
            socket.create_connection((self._url.hostname or "", self._url.port or 0), 30) as connection,
            connection.makefile("rb") as incoming,
        ):
            connection.sendall(request)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = incoming.readline()
                if not line:
                    raise RuntimeError("the simulator hung up")
                head += b"" if line.lower().startswith(b"connection:") else line
            headers = parse_headers(BytesIO(head.partition(b"\r\n")[2]))
            return head + incoming.read(int(headers["content-length"]))
