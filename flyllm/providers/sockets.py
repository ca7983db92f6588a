"""The network below the HTTP libraries: httpcore's documented `NetworkBackend` and `NetworkStream`, with bounds.

Every operation is bounded by what the exchange that it serves has left (`Line`), connecting and the TLS handshake
included, and any thread can end one. A connection that is kept carries exchange after exchange: the first bytes that
a thread writes make it that thread's.
"""

import contextlib
import encodings.idna  # noqa: F401 - Python would load it at the first lookup, where a fork may come in between
import errno
import select
import socket
import ssl
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from flyllm._fork import after_fork
from flyllm.errors import ParseError, RequestError
from flyllm.providers.line import Line

T = TypeVar("T")

MAX_HEAD = 64 * 1024
"""Bytes of an answer's headers, interim answers included, after which it is taken for broken."""

HELD = 64 * 1024
"""Bytes that are held back, so that a request's headers and body go out at once: each send is a system call, a packet
and one more time that the server is woken up."""


OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL})
"""Errors of this process or machine, of which no server is guilty."""


class _Local(threading.local):
    line: Line


_local = _Local()


class Sending:
    """A context in which what this thread sends belongs to `line`."""

    __slots__ = ("_line",)

    def __init__(self, line: Line) -> None:
        self._line = line

    def __enter__(self) -> None:
        _local.line = self._line

    def __exit__(self, *_: object) -> None:
        del _local.line


class Backend:
    """Opens connections. `httpcore` is the library (or httpcore2) whose errors they raise."""

    def __init__(self, httpcore: ModuleType) -> None:
        self._httpcore = httpcore

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **_: Any) -> "Stream":
        """Return a connection. The addresses of `host` are tried in turn and share the time.

        Looking them up is the one step that nothing can bound: the system's resolver has no timeout to give.
        """
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as exc:
            raise self._httpcore.ConnectError(str(exc)) from exc
        share = None if timeout is None else timeout / len(addresses)
        failure = OSError("the host has no address")
        for family, kind, protocol, _name, address in addresses:
            try:
                return self._connected(socket.socket(family, kind, protocol), address, share)
            except OSError as exc:
                failure = exc
        if failure.errno in OURS:
            raise RequestError(f"this process has no free file or port: {failure}", sent=False, local=True)
        if isinstance(failure, TimeoutError) and timeout is not None:
            raise _too_slow(timeout)
        raise self._httpcore.ConnectError(str(failure)) from failure

    def _connected(self, sock: socket.socket, address: Any, timeout: float | None) -> "Stream":
        stream = Stream(sock, _local.line, self._httpcore)
        try:
            stream.connect(address, timeout)
        except BaseException:
            stream.close()
            raise
        return stream


class Stream:
    """A connection. `read` and `write` are for one thread at a time; any may `close` or `interrupt`."""

    __slots__ = ("__weakref__", "_busy", "_closed", "_held", "_httpcore", "_line", "_sock")

    def __init__(self, sock: socket.socket, line: Line, httpcore: ModuleType) -> None:
        self._sock, self._line, self._httpcore = sock, line, httpcore
        self._busy = threading.Lock()  # held during an operation and while the socket is closed
        self._closed = False
        self._held = b""
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

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "Stream":
        """Agree on TLS within `timeout` seconds; close the connection if that fails."""
        try:
            # Not within `wrap_socket`: until it returns, nobody could interrupt the handshake.
            tls = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname, do_handshake_on_connect=False)
            self._sock = tls
            tls.settimeout(self._line.patience(timeout))
            tls.do_handshake()
        except BaseException as exc:
            self.close()
            self._line.check()
            if isinstance(exc, TimeoutError) and timeout is not None:
                raise _too_slow(timeout) from None
            if isinstance(exc, OSError):
                raise self._httpcore.ConnectError(str(exc)) from exc
            raise
        return self

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come, b"" at the end."""
        line = self._line
        if line.head >= MAX_HEAD:
            raise ParseError(f"the answer's headers exceed {MAX_HEAD // 1024} KiB")
        httpcore = self._httpcore
        if self._held:
            # As httpcore does: a server may have refused, and closed, before it had read everything.
            with contextlib.suppress(httpcore.WriteError):
                self._flush(timeout)
        size = int(min(max_bytes, MAX_HEAD - line.head))
        data = self._run(self._sock.recv, size, timeout, httpcore.ReadTimeout, httpcore.ReadError)
        if not data:
            line.check()
        line.head += len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`, for the exchange that this thread is at, by the time something is read."""
        line = _local.line
        if line is not self._line:
            self._line = line
            line.hold(self)
            line.reused = True
        self._held += buffer
        if len(self._held) >= HELD:
            self._flush(timeout)

    def _flush(self, timeout: float | None) -> None:
        rest, self._held, httpcore = memoryview(self._held), b"", self._httpcore
        self._line.sent = True
        while rest:
            rest = rest[self._run(self._sock.send, rest, timeout, httpcore.WriteTimeout, httpcore.WriteError) :]

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

    def get_extra_info(self, info: str) -> Any:
        """Return what `NetworkStream` documents; None for anything else."""
        sock = self._sock
        match info:
            case "socket":
                return sock
            case "ssl_object":
                return sock if isinstance(sock, ssl.SSLSocket) else None
            case "client_addr":
                return sock.getsockname()
            case "server_addr":
                return sock.getpeername()
            case "is_readable":
                return _readable(sock)
        return None

    def _let_go(self) -> None:
        """Close a forked child's copy of the socket; to shut it down would cut the parent's connection."""
        self._sock.close()

    def _run(
        self,
        operation: Callable[[Any], T],
        argument: Any,
        timeout: float | None,
        timed_out: type[Exception],
        broken: type[Exception],
    ) -> T:
        line = self._line
        seconds = line.patience(timeout)
        try:
            with self._busy:
                self._sock.settimeout(seconds)
                return operation(argument)
        except OSError as exc:
            line.check()
            if not isinstance(exc, TimeoutError):
                raise broken(str(exc)) from exc
            raise timed_out(str(exc)) if seconds == timeout else line.late() from exc
        finally:
            if self._closed:
                self.close()


def _too_slow(seconds: float) -> RequestError:
    return RequestError(f"connecting took longer than {round(seconds, 1):g} s", sent=False)


def _readable(sock: socket.socket) -> bool:
    """Whether reading would return at once: data, or the end of an idle connection."""
    number = sock.fileno()
    if number < 0:
        return True
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([number], [], [], 0)[0])
    poll = select.poll()  # select() fails for numbers of 1024 and more
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))
