"""A provider's port: reads requests and sends recordings, all at once or one event at a time."""

import contextlib
import socket
import threading
import time
from http.client import parse_headers
from io import BufferedReader, BytesIO

from benchmarks.streams.server.recording import Recorder, Recording

PACE = 0.001
"""Seconds between events that are sent one at a time: long enough for any client to have read the one before."""


class Port:
    """A port of 127.0.0.1 that speaks as one provider; `connections` is how many it has accepted."""

    def __init__(self, recorder: Recorder, *, paced: bool) -> None:
        self._recorder, self._send = recorder, _paced if paced else _at_once
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # A client may hang up whenever it likes.
        with connection, connection.makefile("rb") as incoming, contextlib.suppress(OSError):
            while request := _request(incoming):
                self._send(connection, self._recorder.answer(*request))


def _request(incoming: BufferedReader) -> tuple[bytes, bytes] | None:
    """Return head and body of the next request, None at the end."""
    head = b""
    while line := incoming.readline():
        head += line
        if line == b"\r\n":
            headers = parse_headers(BytesIO(head.partition(b"\r\n")[2]))
            return head, incoming.read(int(headers.get("content-length", "0")))
    return None


def _at_once(connection: socket.socket, recording: Recording) -> None:
    connection.sendall(recording.whole)


def _paced(connection: socket.socket, recording: Recording) -> None:
    for part in recording.parts:
        connection.sendall(part)
        time.sleep(PACE)
