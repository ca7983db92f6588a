"""Connections: bounded operations that any thread can end, sockets closed by their users."""

import select
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyllm.errors import ParseError, RequestError
from flyllm.providers import sockets
from flyllm.providers.broken import ConnectError
from flyllm.providers.line import Line
from flyllm.providers.sockets import MAX_HEAD, Stream


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)
        yield listening


def connect(server: socket.socket, line: Line) -> tuple[Stream, socket.socket]:
    """Both ends of a connection."""
    stream = sockets.connect("127.0.0.1", server.getsockname()[1], line, 5.0)
    return stream, server.accept()[0]


def test_bytes_go_both_ways(server: socket.socket) -> None:
    """More than one send takes, too."""
    line = Line(20.0)
    stream, other = connect(server, line)
    content = bytes(5_000_000)
    with other:
        reader = threading.Thread(target=lambda: other.sendall(b"%d" % len(read_exactly(other, len(content)))))
        reader.start()
        stream.write(content)
        assert stream.read(100) == b"5000000"
        reader.join(20)
        assert line.sent
    stream.close()


def read_exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        data += sock.recv(1 << 20)
    return bytes(data)


def test_a_read_ends_with_the_exchange(server: socket.socket) -> None:
    """Whatever else comes or does not."""
    stream, other = connect(server, Line(0.1))
    with other, pytest.raises(RequestError, match=r"no answer within the attempt's 0\.1 s"):
        stream.read(10)
    stream.close()


def test_a_blocked_write_ends_with_the_exchange(server: socket.socket) -> None:
    """A peer that reads nothing holds nobody."""
    line = Line(0.2)
    stream, other = connect(server, line)
    with other, pytest.raises(RequestError, match="no answer within"):
        stream.write(bytes(50_000_000))
    stream.close()


@pytest.mark.parametrize("end", ["cut", "close"])
def test_any_thread_ends_a_blocked_read(server: socket.socket, end: str) -> None:
    """At once, although a minute was left; the socket is closed by the thread that used it."""
    line = Line(60.0)
    stream, other = connect(server, line)
    outcome: list[BaseException] = []
    reading = threading.Event()
    other.sendall(b"x")

    def read() -> None:
        try:
            assert stream.read(10) == b"x"
            reading.set()
            assert stream.read(10) == b""
        except BaseException as exc:
            outcome.append(exc)

    reader = threading.Thread(target=read)
    reader.start()
    assert reading.wait(20)
    if end == "cut":
        line.cut(KeyError("cut"))
    else:
        stream.close()
    reader.join(20)
    assert not reader.is_alive()
    assert [type(exc) for exc in outcome] == ([KeyError] if end == "cut" else [])
    stream.close()
    assert stream._sock.fileno() == -1
    other.close()


def test_a_kept_connection_is_the_next_exchange_s(server: socket.socket) -> None:
    """The one before cannot cut it any more."""
    first, second = Line(20.0), Line(20.0)
    stream, other = connect(server, first)
    first.release()
    with other:
        stream.serve(second)
        assert second.reused
        stream.write(b"x")
        first.cut(KeyError("too late"))
        other.sendall(b"answer")
        assert stream.read(100) == b"answer"
        second.cut(KeyError("mine"))
        with pytest.raises(KeyError, match="mine"):
            stream.read(100)
    stream.close()


def test_headers_have_a_size(server: socket.socket) -> None:
    """Reading on before they are complete fails; after that their bytes do not count."""
    line = Line(20.0)
    stream, other = connect(server, line)
    with other:
        other.sendall(bytes(MAX_HEAD))
        while line.head < MAX_HEAD:
            stream.read(MAX_HEAD)
        with pytest.raises(ParseError, match="headers exceed 64 KiB"):
            stream.read(10)
        line.answered()
        other.sendall(b"body")
        assert stream.read(10) == b"body"
    stream.close()


def test_a_refused_connection_was_not_sent(server: socket.socket) -> None:
    """The error has the system's reason."""
    port = server.getsockname()[1]
    server.close()
    with pytest.raises(ConnectError, match="refused"):
        sockets.connect("127.0.0.1", port, Line(5.0), 5.0)


def test_a_name_nobody_knows_was_not_sent() -> None:
    """Reserved by RFC 2606."""
    with pytest.raises(ConnectError):
        sockets.connect("nobody.invalid", 80, Line(20.0), 5.0)


class Full:
    """A server whose queue of connections is full: further ones are not answered (SYN dropped)."""

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(0)
        self._filling: list[socket.socket] = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self.socket.getsockname())
            self._filling.append(filler)
        assert select.select([], self._filling[:1], [], 20)[1]  # of a length of 0 the queue has room for one

    def close(self) -> None:
        for each in (*self._filling, self.socket):
            each.close()


@pytest.fixture
def full() -> Iterator[int]:
    """The port of such a server."""
    server = Full()
    yield server.socket.getsockname()[1]
    server.close()


def test_connecting_has_its_own_timeout(full: int) -> None:
    """Nothing was sent then."""
    with pytest.raises(RequestError, match=r"connecting took longer than 0\.2 s") as caught:
        sockets.connect("127.0.0.1", full, Line(60.0), 0.2)
    assert not caught.value.sent


def test_any_thread_ends_a_connection_attempt(full: int) -> None:
    """A worker that nobody waits for must not hold the process until the system gives up."""
    line = Line(60.0)
    timer = threading.Timer(0.1, line.cut, [KeyError("cut")])
    timer.start()
    before = time.monotonic()
    with pytest.raises(KeyError, match="cut"):
        sockets.connect("127.0.0.1", full, line, 30.0)
    assert time.monotonic() - before < 10
    timer.join()


def test_a_silent_tls_handshake_ends_in_time_and_when_cut(server: socket.socket) -> None:
    """The server accepts and says nothing."""
    line = Line(60.0)
    stream, other = connect(server, line)
    with other, pytest.raises(RequestError, match=r"connecting took longer than 0\.1 s"):
        stream.start_tls(ssl.create_default_context(), "localhost", 0.1)
    stream, other = connect(server, line)
    timer = threading.Timer(0.1, line.cut, [KeyError("cut")])
    timer.start()
    with other, pytest.raises(KeyError, match="cut"):
        stream.start_tls(ssl.create_default_context(), "localhost", 30.0)
    timer.join()


def test_an_idle_connection_that_was_closed_shows_it(server: socket.socket) -> None:
    """So that a pool replaces it."""
    stream, other = connect(server, Line(5.0))
    assert not stream.readable
    other.close()
    assert select.select([stream._sock], [], [], 20)[0]
    assert stream.readable
    stream.close()
    assert stream.readable


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost and its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = f"req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -out {path}"
    key = path.with_suffix(".key")
    subprocess.run([openssl, *command.split(), "-keyout", str(key)], check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())
    return path


def encrypted(server: socket.socket, line: Line, certificate: Path) -> tuple[Stream, ssl.SSLSocket]:
    """Both ends of a connection that have agreed on TLS."""
    stream, other = connect(server, line)
    ours, theirs = ssl.create_default_context(cafile=certificate), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(certificate)
    accepted: list[ssl.SSLSocket] = []
    thread = threading.Thread(target=lambda: accepted.append(theirs.wrap_socket(other, server_side=True)))
    thread.start()
    stream.start_tls(ours, "localhost", 20.0)
    thread.join(20)
    return stream, accepted[0]


def test_tls_reads_end_in_time_and_when_cut(server: socket.socket, certificate: Path) -> None:
    """As plain ones do."""
    line = Line(20.0)
    stream, other = encrypted(server, line, certificate)
    with other:
        other.sendall(b"hello")
        assert stream.read(10) == b"hello"
        line.limit(0.1)
        with pytest.raises(RequestError, match="no answer within"):
            stream.read(10)
        line.limit(60.0)
        timer = threading.Timer(0.1, line.cut, [KeyError("cut")])
        timer.start()
        with pytest.raises(KeyError, match="cut"):
            stream.read(10)
        timer.join()
    stream.close()


def test_cutting_never_takes_the_encryption_off(server: socket.socket, certificate: Path) -> None:
    """Python's own `SSLSocket.shutdown` does: what another thread sends at that moment would go out in the clear."""
    stream, other = encrypted(server, Line(20.0), certificate)
    stream.interrupt()
    sock = stream._sock
    assert sock.version() is not None
    with pytest.raises(OSError):  # noqa: PT011 - which one is the system's choice
        sock.send(b"secret")
    other.close()
    stream.close()


def test_a_certificate_nobody_vouches_for_was_not_sent(server: socket.socket, certificate: Path) -> None:
    """The error says why."""
    stream, other = connect(server, Line(20.0))
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(certificate)

    def accept() -> None:
        with pytest.raises(ssl.SSLError):
            theirs.wrap_socket(other, server_side=True)

    thread = threading.Thread(target=accept)
    thread.start()
    with pytest.raises(ConnectError, match="certificate verify failed"):
        stream.start_tls(ssl.create_default_context(), "localhost", 20.0)
    thread.join(20)
    other.close()
