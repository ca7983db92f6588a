"""One accepted connection: h11 reads the requests, the answers go out as raw bytes so that they can be broken."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from typing import Protocol, cast

from flyllm.errors import MissingDependencyError
from flyllm.testing.answering import Request, decoded
from flyllm.testing.behaviour import Behaviour
from flyllm.testing.faults import Fault
from flyllm.testing.transmission import Answer, End, Step, at_once, steps

try:
    import h11
except ModuleNotFoundError as error:
    raise MissingDependencyError('The provider simulator needs h11: pip install "flyllm[testing]"') from error

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_MAX_HEAD = 256 * 1024


class Served(Protocol):
    """What a connection needs of the instance it belongs to."""

    def connected(self, connection: "Connection") -> int:
        """Register an open connection and return its number."""

    def disconnected(self, connection: "Connection") -> None:
        """Forget a connection."""

    def at_accept(self) -> Fault | None:
        """Return the fault that meets a connection as soon as it is accepted."""

    def begin(self, request: Request, raw: bytes, connection: int) -> tuple[Answer, Behaviour, float]:
        """Record a request and return its answer, its behaviour and the seconds before the first byte."""

    def end(self, number: int, *, disconnected: bool) -> None:
        """Note that a request is over."""

    @property
    def next_number(self) -> int:
        """Number of the next request."""

    @property
    def idle_timeout(self) -> float | None:
        """Seconds after which an idle connection is closed."""


class Connection(asyncio.Protocol):
    """Reads requests one after the other and sends their answers; lives in the server's event loop."""

    def __init__(self, served: Served, loop: asyncio.AbstractEventLoop) -> None:
        self._served, self._loop = served, loop
        self._transport: asyncio.Transport
        self._number = 0
        self._parser = _parser()
        self._head: h11.Request | None = None
        self._body: list[bytes] = []
        self._current: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._idle: asyncio.TimerHandle | None = None

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection; a fault may meet it already here."""
        self._transport = cast(asyncio.Transport, transport)
        self._number = self._served.connected(self)
        fault = self._served.at_accept()
        if fault is Fault.RESET_ON_ACCEPT:
            self.abort()
        elif fault is Fault.BLACKHOLE:
            self._transport.pause_reading()
        else:
            self._await_request()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a request that is complete is answered."""
        self._parser.receive_data(data)
        if self._current is None:
            self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop sending; a request that was not answered to the end is recorded as disconnected."""
        self._stop_waiting()
        if self._task is not None:
            self._task.cancel()
        self._over(disconnected=True)
        self._served.disconnected(self)
        self._writable.set()

    def pause_writing(self) -> None:
        """Hold the frames back: the client does not read."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on sending."""
        self._writable.set()

    # ---- reading

    def _await_request(self) -> None:
        timeout = self._served.idle_timeout
        if timeout is not None:
            self._idle = self._loop.call_later(timeout, self._transport.close)

    def _stop_waiting(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _read(self) -> None:
        try:
            event = self._parser.next_event()
            while not isinstance(event, h11.EndOfMessage):
                if isinstance(event, h11.Request):
                    self._stop_waiting()
                    self._head, self._body = event, []
                elif isinstance(event, h11.Data):
                    self._body.append(bytes(event.data))
                else:
                    if self._parser.they_are_waiting_for_100_continue:
                        self._transport.write(_CONTINUE)
                    return
                event = self._parser.next_event()
        except h11.RemoteProtocolError:
            self._transport.write(_BAD_REQUEST)
            self._transport.close()
            return
        self._answer(cast(h11.Request, self._head), b"".join(self._body))

    # ---- answering

    def _answer(self, head: h11.Request, raw: bytes) -> None:
        headers: dict[str, str] = {}
        for raw_name, raw_value in head.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        number = self._served.next_number
        method, target = head.method.decode("ascii"), head.target.decode("latin-1")
        request = Request(number, method, target, headers, decoded(raw))
        self._current = number
        answer, behaviour, delay = self._served.begin(request, raw, self._number)
        keep = not (_closes(headers) or _closes(answer.headers) or head.http_version < b"1.1")
        whole = at_once(answer, behaviour, delay)
        if whole is not None:
            self._done(whole, keep)
        else:
            self._task = self._loop.create_task(self._send(steps(answer, behaviour, delay), keep))

    async def _send(self, planned: Iterator[Step], keep: bool) -> None:
        held = b""
        for step in planned:
            if held:
                self._transport.write(held)
                await self._writable.wait()
                held = b""
            if isinstance(step, bytes):
                held = step
            elif isinstance(step, End):
                self._finish(step)
                return
            else:
                await asyncio.sleep(step)
        self._task = None
        self._done(held, keep)

    def _done(self, rest: bytes, keep: bool) -> None:
        # Over before the last bytes leave: who has read an answer shall not find its request still in flight.
        self._over(disconnected=False)
        self._transport.write(rest)
        if not keep:
            self._transport.close()
            return
        left = self._parser.trailing_data[0]
        self._parser = _parser()
        if left:
            # Not from here: a client that pipelines thousands of requests would recurse that deep.
            self._loop.call_soon(self.data_received, left)
        else:
            self._await_request()

    def _finish(self, end: End) -> None:
        if end is End.HANG:
            return
        self._over(disconnected=False)
        if end is End.RESET:
            self.abort()
        else:
            self._transport.close()

    def _over(self, *, disconnected: bool) -> None:
        number, self._current = self._current, None
        if number is not None:
            self._served.end(number, disconnected=disconnected)

    def abort(self) -> None:
        """Reset the connection (RST)."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


def _parser() -> h11.Connection:
    # A new one per request: its sending half is never used, because answers may be broken on purpose.
    return h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)


def _closes(headers: object) -> bool:
    return isinstance(headers, dict) and str(headers.get("connection", "")).lower() == "close"
