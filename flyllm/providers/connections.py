"""Connections that are kept for the next request.

As many are opened as are needed at once: how many that may be, the instances' places decide. The one that was used last
is used first, so that those in use stay few and warm, and the others can be closed.
"""

import ssl
import threading
import weakref
from collections import deque
from typing import NamedTuple

from flyllm._clock import SystemClock
from flyllm.providers.line import Line
from flyllm.providers.sockets import Stream, connect

_now = SystemClock.monotonic


class Origin(NamedTuple):
    """Where connections lead; `tls` says whether they are encrypted."""

    host: str
    port: int
    tls: bool


class Connections:
    """Keeps `most` idle connections, each for `seconds`. All methods may be called from many threads."""

    def __init__(self, tls: ssl.SSLContext, most: int, seconds: float) -> None:
        self._tls, self._most, self._seconds = tls, most, seconds
        self._idle: dict[Origin, deque[tuple[Stream, float]]] = {}
        self._lock = threading.Lock()  # guards _open; a leaf
        self._open: weakref.WeakSet[Stream] = weakref.WeakSet()
        self._closed = False

    def take(self, origin: Origin, line: Line, timeout: float | None) -> Stream:
        """Return a connection for the exchange `line`: a kept one, or one that is made within `timeout` seconds."""
        idle = self._idle.get(origin)
        while idle:
            try:
                stream, since = idle.pop()
            except IndexError:  # other threads were faster
                break
            if _now() - since <= self._seconds and not stream.readable:
                stream.serve(line)
                return stream
            stream.close()  # too old, or closed by the server
        return self._connect(origin, line, timeout)

    def give(self, origin: Origin, stream: Stream) -> None:
        """Keep a connection that an exchange has left behind in order."""
        idle, now = self._idle.setdefault(origin, deque()), _now()
        idle.append((stream, now))
        while idle and (self._closed or len(idle) > self._most or idle[0][1] < now - self._seconds):
            try:
                idle.popleft()[0].close()
            except IndexError:
                break

    def close(self) -> None:
        """Close all connections, also those that are in use."""
        self._closed = True
        with self._lock:
            streams = list(self._open)
        for stream in streams:
            stream.close()

    def _connect(self, origin: Origin, line: Line, timeout: float | None) -> Stream:
        stream = connect(origin.host, origin.port, line, timeout)
        if origin.tls:
            stream.start_tls(self._tls, origin.host, timeout)
        with self._lock:
            self._open.add(stream)
        if self._closed:
            stream.close()
        return stream
