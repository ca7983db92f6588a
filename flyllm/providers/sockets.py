"""Connections. Every operation is bounded by what the exchange that it serves has left (`Line`), connecting and the TLS
handshake included, and any thread can end one. A connection that is kept carries exchange after exchange.
"""

import contextlib
import encodings.idna  # noqa: F401 - Python would load it at the first lookup, where a fork may come in between
import errno
import select
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from flyllm._fork import after_fork
from flyllm.errors import ParseError, RequestError
from flyllm.providers.broken import ConnectError, ReadError, WriteError
from flyllm.providers.line import Line

T = TypeVar("T")

MAX_HEAD = 64 * 1024
"""Bytes of an answer's headers, interim answers included, after which it is taken for broken."""

OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL})
"""Errors of this process or machine, of which no server is guilty."""


def connect(host: str, port: int, line: Line, timeout: float | None) -> "Stream":
    """Return a connection for the exchange `line`. The addresses of `host` are tried in turn and share the time.

    Looking them up is the one step that nothing can bound: the system's resolver has no timeout to give.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise ConnectError(str(exc)) from exc
    share = None if timeout is None else timeout / len(addresses)
    failure = OSError("the host has no address")
    for family, kind, protocol, _name, address in addresses:
        try:
            return _connected(socket.socket(family, kind, protocol), address, line, share)
        except OSError as exc:
            failure = exc
    if failure.errno in OURS:
        raise RequestError(f"this process has no free file or port: {failure}", sent=False, local=True)
    if isinstance(failure, TimeoutError) and timeout is not None:
        raise _too_slow(timeout)
    raise ConnectError(str(failure)) from failure


def _connected(sock: socket.socket, address: Any, line: Line, timeout: float | None) -> "Stream":
    stream = Stream(sock, line)
    try:
        stream.connect(address, timeout)
    except BaseException:
        stream.close()
        raise
    return stream


class Stream:
    """A connection. `read` and `write` are for one thread at a time; any may `close` or `interrupt`."""

    __slots__ = ("__weakref__", "_busy", "_closed", "_line", "_sock")

    def __init__(self, sock: socket.socket, line: Line) -> None:
        self._sock, self._line = sock, line
        self._busy = threading.Lock()  # held during an operation and while the socket is closed
        self._closed = False
        after_fork(self, Stream._let_go)

    def connect(self, address: Any, timeout: float | None) -> None:
        """Connect within `timeout` seconds. Raises OSError."""
        self._line.hold(self)
        self._sock.settimeout(self._line.patience(timeout))
        try:
            self._sock.connect(address)
        except OSError:
            self._line.check()
            raise
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def serve(self, line: Line) -> None:
        """Carry another exchange from now on, in the thread that is at it."""
        self._line = line
        line.hold(self)
        line.reused = True

    def start_tls(self, context: ssl.SSLContext, host: str, timeout: float | None) -> None:
        """Agree on TLS within `timeout` seconds; close the connection if that fails."""
        try:
            # Not within `wrap_socket`: until it returns, nobody could interrupt the handshake.
            tls = context.wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
            self._sock = tls
            tls.settimeout(self._line.patience(timeout))
            tls.do_handshake()
        except BaseException as exc:
            self.close()
            self._line.check()
            if isinstance(exc, TimeoutError) and timeout is not None:
                raise _too_slow(timeout) from None
            if isinstance(exc, OSError):
                raise ConnectError(str(exc)) from exc
            raise

    def read(self, most: int) -> bytes:
        """Return what has come, b"" at the end."""
        line = self._line
        if line.head >= MAX_HEAD:
            raise ParseError(f"the answer's headers exceed {MAX_HEAD // 1024} KiB")
        data = self._run(self._sock.recv, int(min(most, MAX_HEAD - line.head)), ReadError)
        if not data:
            line.check()
        line.head += len(data)
        return data

    def write(self, content: bytes) -> None:
        """Send all of `content`."""
        self._line.sent = True
        rest = memoryview(content)
        while rest:
            rest = rest[self._run(self._sock.send, rest, WriteError) :]

    def close(self) -> None:
        """Close, or where another thread is reading or writing, have it close when it has been interrupted.

        Closed under its hands, the number of the file could by then be that of a stranger's connection.
        """
        self._closed = True
        if self._busy.acquire(blocking=False):
            try:
                self._sock.close()
            finally:
                self._busy.release()
        else:
            self.interrupt()

    def interrupt(self) -> None:
        """End the operation under way and all later ones."""
        with contextlib.suppress(OSError):
            # Of the base class: a TLS socket's own would first take the encryption off, for whoever is writing too.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    @property
    def readable(self) -> bool:
        """Whether reading would return at once: data, or the end of an idle connection."""
        return _readable(self._sock)

    def _let_go(self) -> None:
        """Close a forked child's copy of the socket; to shut it down would cut the parent's connection."""
        self._sock.close()

    def _run(self, operation: Callable[[Any], T], argument: Any, broken: type[Exception]) -> T:
        line = self._line
        seconds = line.patience(None)
        try:
            with self._busy:
                self._sock.settimeout(seconds)
                return operation(argument)
        except OSError as exc:
            line.check()
            if not isinstance(exc, TimeoutError):
                raise broken(str(exc)) from exc
            raise line.late() from exc
        finally:
            if self._closed:
                self.close()


def _too_slow(seconds: float) -> RequestError:
    return RequestError(f"connecting took longer than {round(seconds, 1):g} s", sent=False)


def _readable(sock: socket.socket) -> bool:
    number = sock.fileno()
    if number < 0:
        return True
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([number], [], [], 0)[0])
    poll = select.poll()  # select() fails for numbers of 1024 and more
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))
