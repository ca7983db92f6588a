"""HTTP/1.1 over a connection: what is sent, what counts as an answer, and whether the connection can be used again."""

import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyllm.errors import ParseError, RequestError
from flyllm.providers.broken import LocalProtocolError, RemoteProtocolError
from flyllm.providers.http11 import Exchange, request_head
from flyllm.providers.line import Line
from flyllm.providers.sockets import Stream

HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = HEAD + b"Content-Length: 5\r\nX-One: a\r\n\r\nhello"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: t\r\n\r\n"
UNTIL_CLOSE = HEAD + b"X: y\r\n\r\nhello"
ASKED = (b"POST", b"/v1", [(b"Host", b"h")], b"body")


class Pair:
    """An exchange and the server's end of its connection."""

    def __init__(self, seconds: float = 20.0) -> None:
        ours, self.server = socket.socketpair()
        self.server.settimeout(20)
        self.line = Line(seconds)
        self.stream = Stream(ours, self.line)
        self.exchange = Exchange(self.stream)

    def answer(self, pieces: Iterable[bytes], *, close: bool = True) -> bytes:
        """Return the body of what the server sends in these pieces, closing the connection after them."""
        sender = threading.Thread(target=self._send, args=(list(pieces), close))
        sender.start()
        try:
            self.exchange.run(*ASKED)
            return b"".join(self.exchange)
        finally:
            sender.join(20)

    def _send(self, pieces: list[bytes], close: bool) -> None:
        for piece in pieces:
            self.server.sendall(piece)
        if close:
            self.server.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.stream.close()
        self.server.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


def test_a_request_goes_out_in_one_piece(pair: Pair) -> None:
    """Head and body, headers in their order and as they are spelt."""
    pair.answer([LENGTH])
    assert pair.server.recv(1000) == b"POST /v1 HTTP/1.1\r\nHost: h\r\n\r\nbody"


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED, UNTIL_CLOSE])
def test_a_body_ends_as_its_headers_say(pair: Pair, answer: bytes) -> None:
    """By its length, its last chunk or the end of the connection."""
    assert pair.answer([answer]) == b"hello"
    assert pair.exchange.status == 200


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED, UNTIL_CLOSE])
def test_pieces_of_any_size_make_the_same_answer(answer: bytes) -> None:
    """Byte by byte too."""
    for size in (1, 2, 3, 7):
        pair = Pair()
        assert pair.answer(answer[at : at + size] for at in range(0, len(answer), size)) == b"hello"
        pair.close()


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED])
def test_an_answer_that_ends_early_is_none(answer: bytes) -> None:
    """Wherever it is cut."""
    for cut in range(len(answer)):
        pair = Pair()
        with pytest.raises(RemoteProtocolError):
            pair.answer([answer[:cut]] if cut else [])
        pair.close()


@pytest.mark.parametrize(
    ("answer", "close", "reusable"),
    [
        (LENGTH, False, True),
        (CHUNKED, False, True),
        (HEAD + b"Connection: close\r\nContent-Length: 0\r\n\r\n", False, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False, False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", False, True),
        (UNTIL_CLOSE, True, False),
        (LENGTH + b"HTTP/1.1 500 Nobody asked\r\n\r\n", False, False),
        (LENGTH + b"garbage", False, False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False, True),
    ],
)
def test_a_connection_is_used_again_where_both_are_done_with_it(
    pair: Pair, answer: bytes, close: bool, reusable: bool
) -> None:
    """What follows an answer is not asked for, and spoils it."""
    pair.answer([answer], close=close)
    assert pair.exchange.finish() == (pair.stream, reusable)
    assert pair.exchange.finish() == (None, False)


def test_a_connection_is_not_used_again_before_its_answer_was_read(pair: Pair) -> None:
    """What is left of it would be taken for the next one."""
    pair.server.sendall(LENGTH[:-1])
    pair.exchange.run(*ASKED)
    assert pair.exchange.finish() == (pair.stream, False)


def test_interim_answers_are_passed_over(pair: Pair) -> None:
    """Any number of them, with headers that are not the answer's."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    assert pair.answer([interim, LENGTH]) == b"hello"
    assert [name for name, _ in pair.exchange.fields] == [b"Content-Length", b"X-One"]


def test_endless_headers_end(pair: Pair) -> None:
    """As does an endless row of interim answers."""
    with pytest.raises(ParseError, match="headers exceed 64 KiB"):
        pair.answer([b"HTTP/1.1 100 Continue\r\n\r\n" * 4000], close=False)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>no HTTP</html>",
        b"\x16\x03\x01 TLS",
        b"HTTP/1.1 abc OK\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b"Content-Length: x\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_what_is_no_http_is_no_answer(pair: Pair, answer: bytes) -> None:
    """One kind of error, which says so."""
    with pytest.raises(RemoteProtocolError):
        pair.answer([answer], close=False)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        HEAD + b"Content-Length: 99\r\n" + CHUNKED.removeprefix(HEAD),
    ],
)
def test_what_other_libraries_let_pass_is_let_pass(pair: Pair, answer: bytes) -> None:
    """Bare newlines of home-made servers; a length beside chunks, which counts for nothing."""
    assert pair.answer([answer], close=False) == b"hello"


def test_a_refusal_is_read_though_the_server_has_stopped_listening(pair: Pair) -> None:
    """It had not read the whole request, and reset the connection."""
    pair.server.sendall(HEAD.replace(b"200 OK", b"413 Too Large") + b"Content-Length: 0\r\n\r\n")
    pair.server.shutdown(socket.SHUT_RD)
    pair.exchange.run(b"POST", b"/", [], bytes(4_000_000))
    assert pair.exchange.status == 413


def test_silence_ends_with_the_line() -> None:
    """Before the headers and within the body."""
    for said in (b"", LENGTH[:-1]):
        pair = Pair(0.1)
        with pytest.raises(RequestError, match=r"no answer within the attempt's 0\.1 s"):
            pair.answer([said], close=False)
        pair.close()


@pytest.mark.parametrize(
    "header",
    [(b"X", b"a\r\nInjected: b"), (b"X", b"a\nb"), (b"X", b"a\0"), (b"X Y", b"a"), (b"", b"a"), (b"X\r\nY", b"a")],
)
def test_a_header_cannot_end_before_its_time(header: tuple[bytes, bytes]) -> None:
    """The error names it, without its value, which may be a key."""
    with pytest.raises(LocalProtocolError, match="has characters that no header has") as caught:
        request_head(b"GET", b"/", [header])
    assert "Injected" not in str(caught.value)


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_any_bytes_are_an_answer_or_an_error(junk: bytes, cuts: list[int]) -> None:
    """However they are cut; nothing else is raised."""
    pair, places = Pair(), sorted({min(cut, len(junk)) for cut in cuts} | {0, len(junk)})
    with contextlib.closing(pair), contextlib.suppress(RemoteProtocolError):
        pair.answer((HEAD + junk)[a:b] for a, b in zip(places, [*places[1:], len(HEAD) + len(junk)], strict=True))
