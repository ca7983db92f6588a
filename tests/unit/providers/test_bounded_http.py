"""Bodies have a size, packed or not, and end where they say."""

import gzip
import zlib
from collections.abc import Iterable, Iterator

import pytest

from flyllm.errors import ParseError
from flyllm.providers.bounded_http import MAX_BODY, PIECE, Body, unpacked
from flyllm.providers.line import Line

MIB = bytes(1024 * 1024)


class Pieces:
    """A body as it comes from the wire; counts what is taken."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.taken += 1
            yield piece


def body(pieces: Iterable[bytes], length: bytes = b"", packing: bytes = b"") -> Body:
    return Body(pieces, Line(), lambda: None, length, packing)


def test_a_body_comes_through_as_it_is() -> None:
    """Piece by piece, as it comes."""
    assert list(body([b"one", b"two"])) == [b"one", b"two"]


def test_an_endless_body_ends_at_the_cap() -> None:
    """Not a piece further."""
    source = Pieces(MIB for _ in range(10_000))
    with pytest.raises(ParseError, match="the answer exceeds 64 MiB"):
        for _ in body(source):
            pass
    assert source.taken == 64


def test_a_body_that_announces_too_much_is_not_read() -> None:
    """Its length says so before it comes."""
    source = Pieces([b"x"])
    with pytest.raises(ParseError, match="exceeds 64 MiB"):
        list(body(source, length=b"%d" % (MAX_BODY + 1)))
    assert source.taken == 0


def test_many_tiny_pieces_count_as_what_they_cost() -> None:
    """64 MiB of one byte each would take gigabytes."""
    source = Pieces(b"x" for _ in range(MAX_BODY))
    with pytest.raises(ParseError, match="exceeds 64 MiB"):
        for _ in body(source):
            pass
    assert source.taken <= MAX_BODY // PIECE


@pytest.mark.parametrize(("packing", "pack"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)])
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_packed_bodies_are_unpacked(packing: bytes, pack: object, size: int) -> None:
    """However they are cut."""
    content = b"".join(b"line %d\n" % n for n in range(20_000))
    packed: bytes = pack(content)  # type: ignore[operator]
    pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
    assert b"".join(body(pieces, packing=packing)) == content


def test_a_bomb_is_unpacked_as_far_as_the_cap() -> None:
    """In pieces of 64 KiB: never is more of it in memory."""
    bomb = zlib.compressobj(9, wbits=31)
    packed = b"".join(bomb.compress(MIB) for _ in range(200)) + bomb.flush()
    assert len(packed) < 300_000
    largest = total = 0
    with pytest.raises(ParseError, match="exceeds 64 MiB"):  # noqa: PT012
        for piece in body([packed], packing=b"gzip"):
            largest, total = max(largest, len(piece)), total + len(piece)
    assert largest == 64 * 1024
    assert total <= MAX_BODY


@pytest.mark.parametrize(
    ("packed", "message"),
    [(b"no gzip at all", "cannot be unpacked"), (gzip.compress(b"x" * 1000, mtime=0)[:-9], "ends early")],
)
def test_a_broken_packing_is_an_unreadable_answer(packed: bytes, message: str) -> None:
    """Also one that is cut."""
    with pytest.raises(ParseError, match=message):
        list(unpacked([packed]))


def test_a_packing_that_was_not_asked_for_is_an_unreadable_answer() -> None:
    """The error names it."""
    with pytest.raises(ParseError, match="packed as 'br', which was not asked for"):
        list(body([b"x"], packing=b"br"))
    assert list(body([b"x"], packing=b"identity")) == [b"x"]


def test_closing_gives_the_socket_up_before_the_connection_is_free() -> None:
    """From then on, cutting this exchange could hit another's."""
    line = Line()
    left: list[bool] = []
    closing = Body([], line, lambda: left.append(line._open), b"", b"")
    closing.close()
    line.cut(KeyError("late"))
    line.check()
    assert left == [False]
