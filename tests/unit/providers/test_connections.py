"""Rules of connections that are kept for the next request."""

import select
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from flyllm.providers.connections import Connections, Origin
from flyllm.providers.line import Line

TLS = ssl.create_default_context()


class Server:
    """Accepts connections and keeps its ends of them."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.origin = Origin("127.0.0.1", self._listening.getsockname()[1], False)
        self._ends: dict[int, socket.socket] = {}
        self._came = threading.Condition()
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                end, (_, port) = self._listening.accept()
            except OSError:
                return
            with self._came:
                self._ends[port] = end
                self._came.notify_all()

    def end(self, port: int) -> socket.socket:
        """The server's end of the connection from that port."""
        with self._came:
            assert self._came.wait_for(lambda: port in self._ends, 20)
            return self._ends[port]

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(20)
        for end in self._ends.values():
            end.close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def test_the_one_used_last_is_used_first(server: Server) -> None:
    """So that few stay warm."""
    kept = Connections(TLS, 8, 30.0)
    one, two = (kept.take(server.origin, Line(), 5.0) for _ in range(2))
    kept.give(server.origin, one)
    kept.give(server.origin, two)
    line = Line()
    assert kept.take(server.origin, line, 5.0) is two
    assert line.reused
    assert kept.take(server.origin, Line(), 5.0) is one
    fresh = Line()
    assert kept.take(server.origin, fresh, 5.0) not in (one, two)
    assert not fresh.reused
    kept.close()


def test_one_that_the_server_has_closed_is_not_used(server: Server) -> None:
    """Nor one on which something came that nobody had asked for."""
    kept = Connections(TLS, 8, 30.0)
    for spoil in (socket.socket.close, lambda end: end.sendall(b"HTTP/1.1 408 Timeout\r\n\r\n")):
        stream = kept.take(server.origin, Line(), 5.0)
        port = stream._sock.getsockname()[1]
        spoil(server.end(port))
        assert select.select([stream._sock], [], [], 20)[0]
        kept.give(server.origin, stream)
        assert kept.take(server.origin, Line(), 5.0) is not stream
    kept.close()


def test_none_is_kept_for_longer_than_its_time(server: Server) -> None:
    """It is closed by the next one that is given back."""
    kept = Connections(TLS, 8, 0.0)
    one, two = (kept.take(server.origin, Line(), 5.0) for _ in range(2))
    kept.give(server.origin, one)
    kept.give(server.origin, two)
    assert one._sock.fileno() == -1
    assert kept.take(server.origin, Line(), 5.0) is not two
    kept.close()


def test_no_more_are_kept_than_wanted(server: Server) -> None:
    """The oldest go first; as many as are needed at once are open all the same."""
    kept = Connections(TLS, 2, 30.0)
    streams = [kept.take(server.origin, Line(), 5.0) for _ in range(5)]
    for stream in streams:
        kept.give(server.origin, stream)
    assert [stream._sock.fileno() == -1 for stream in streams] == [True, True, True, False, False]
    kept.close()


def test_closing_closes_idle_ones_and_those_in_use(server: Server) -> None:
    """Also one that comes back, or is made, afterwards."""
    kept = Connections(TLS, 8, 30.0)
    idle, busy = (kept.take(server.origin, Line(), 5.0) for _ in range(2))
    kept.give(server.origin, idle)
    kept.close()
    assert [stream._sock.fileno() for stream in (idle, busy)] == [-1, -1]
    kept.give(server.origin, busy)
    late = kept.take(server.origin, Line(), 5.0)
    assert late._sock.fileno() == -1


def test_many_threads_share_them(server: Server) -> None:
    """No connection is two threads' at once, and none is lost."""
    kept, at_work, seen = Connections(TLS, 64, 30.0), set[int](), set[int]()
    lock, faults = threading.Lock(), list[int]()

    def work() -> None:
        for _ in range(200):
            stream = kept.take(server.origin, Line(), 5.0)
            with lock:
                faults.extend([id(stream)] if id(stream) in at_work else [])
                at_work.add(id(stream))
                seen.add(id(stream))
            with lock:
                at_work.remove(id(stream))
            kept.give(server.origin, stream)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults
    assert len(seen) <= 8
    kept.close()
