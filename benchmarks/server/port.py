"""One connection of a client: every whole request is answered with recorded bytes after the same time."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

_LENGTH = b"content-length:"


class Tally:
    """What was done since it was last asked for."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._answered, self._late, self._latest = 0, 0.0, 0.0
        self.connections = 0

    def answered(self, late: float) -> None:
        """Count an answer that left so many seconds later than it should have."""
        self._answered += 1
        self._late += late
        self._latest = max(self._latest, late)

    def take(self) -> dict[str, Any]:
        """Return answers, connections accepted, processor seconds, mean and greatest delay in seconds; begin anew."""
        cpu = time.process_time()
        told = {
            "answered": self._answered,
            "connections": self.connections,
            "cpu": cpu - self._cpu,
            "late": self._late / max(1, self._answered),
            "latest": self._latest,
        }
        self._cpu, self._answered, self._late, self._latest, self.connections = cpu, 0, 0.0, 0.0, 0
        return told


class Connection(asyncio.Protocol):
    """A client's connection; it may send its next request once it has the answer."""

    def __init__(self, answer: Callable[[bytes], bytes], delay: float, tally: Tally) -> None:
        self._answer, self._delay, self._tally = answer, delay, tally
        self._loop = asyncio.get_running_loop()
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._tally.connections += 1

    def data_received(self, data: bytes) -> None:
        self._received += data
        if is_whole(self._received):
            answer, self._received = self._answer(self._received), b""
            due = self._loop.time() + self._delay
            if self._delay:
                self._loop.call_at(due, self._send, answer, due)
            else:
                self._send(answer, due)

    def _send(self, answer: bytes, due: float) -> None:
        if not self._transport.is_closing():
            self._tally.answered(self._loop.time() - due)
            self._transport.write(answer)


def is_whole(received: bytes) -> bool:
    """Return whether this is all of an HTTP request."""
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return False
    lines = (line.lower() for line in head.split(b"\r\n"))
    lengths = [int(line[len(_LENGTH) :]) for line in lines if line.startswith(_LENGTH)]
    return len(body) >= sum(lengths)
