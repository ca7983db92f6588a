"""Server-sent events as the WHATWG specification reads them, however the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm.errors import ParseError
from flyllm.providers import sse
from flyllm.providers.sse import ServerEvent, events, lines

TABLE: dict[str, tuple[bytes, list[ServerEvent]]] = {
    "LF": (b"data: a\n\n", [ServerEvent("", "a")]),
    "CRLF": (b"data: a\r\n\r\n", [ServerEvent("", "a")]),
    "CR": (b"data: a\r\rdata: b\r\r", [ServerEvent("", "a"), ServerEvent("", "b")]),
    "mixed": (b"data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\n", [ServerEvent("", "a\nb\nc"), ServerEvent("", "d")]),
    "several lines": (b"data: a\ndata:\ndata: b\n\n", [ServerEvent("", "a\n\nb")]),
    "one space is taken off": (b"data:a\n\ndata:  b\n\n", [ServerEvent("", "a"), ServerEvent("", " b")]),
    "name": (b"event: delta\ndata: a\n\ndata: b\n\n", [ServerEvent("delta", "a"), ServerEvent("", "b")]),
    "name without data": (b"event: ping\n\ndata: a\n\n", [ServerEvent("", "a")]),
    "comments and unknown fields": (b": hi\nid: 7\nretry: 10\nfoo: bar\ndata: a\n:\n\n", [ServerEvent("", "a")]),
    "no colon": (b"data\n\n", [ServerEvent("", "")]),
    "data without text": (b"data:\n\n", [ServerEvent("", "")]),
    "mark": (b"\xef\xbb\xbfdata: a\n\n", [ServerEvent("", "a")]),
    "mark later is text": (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [ServerEvent("", "a")]),
    "empty": (b"", []),
    "blank lines": (b"\n\r\n\r\n\n", []),
    "no blank line at the end": (b"data: a\n", [ServerEvent("", "a")]),
    "no line end at the end": (b"data: a", [ServerEvent("", "a")]),
    "line separators are text": ("data: a\u2028b\u0085c\x0bd\n\n".encode(), [ServerEvent("", "a\u2028b\u0085c\x0bd")]),
    "colon in the data": (b'data: {"a": 1}\n\n', [ServerEvent("", '{"a": 1}')]),
    "not UTF-8": (b"data: \xff\n\n", [ServerEvent("", "\ufffd")]),
}


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({0, *(c for c in cuts if c < len(body)), len(body)})
    return [body[a:b] for a, b in pairwise(marks)]


@pytest.mark.parametrize("name", TABLE)
def test_events_are_read_as_specified(name: str) -> None:
    """Line ends, fields, comments, the byte order mark, and an end without a blank line."""
    body, expected = TABLE[name]
    assert list(events([body])) == expected


@pytest.mark.parametrize("name", TABLE)
def test_a_body_byte_by_byte_reads_the_same(name: str) -> None:
    """Also with empty pieces between."""
    body, expected = TABLE[name]
    pieces = [piece for byte in body for piece in (bytes([byte]), b"")]
    assert list(events(pieces)) == expected


@given(
    fields=st.lists(
        st.sampled_from([b"data: a", b"data: \xe2\x82\xac\xe2\x80\xa8", b"event: e", b":c", b"", b"data", b"x: y"]),
        max_size=12,
    ),
    ends=st.lists(st.sampled_from([b"\n", b"\r\n", b"\r"]), min_size=12, max_size=12),
    cuts=st.lists(st.integers(0, 300), max_size=12),
)
def test_where_the_bytes_are_cut_does_not_matter(fields: list[bytes], ends: list[bytes], cuts: list[int]) -> None:
    """Any mix of line ends, cut anywhere: within a CRLF, a character or a field name."""
    body = b"".join(field + end for field, end in zip(fields, ends, strict=False))
    assert list(events(cut(body, cuts))) == list(events([body]))


@given(body=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_any_bytes_can_be_read(body: bytes, cuts: list[int]) -> None:
    """Garbage gives events or none, the same however it is cut, and never an exception."""
    assert list(events(cut(body, cuts))) == list(events([body]))


def test_lines_end_where_the_specification_says() -> None:
    """And nowhere else: str.splitlines would also split at U+2028 and form feeds."""
    assert list(lines([b"a\x0cb\n", b"c\r", b"\nd"])) == [b"a\x0cb", b"c", b"d"]


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never ends a line cannot fill the memory."""
    monkeypatch.setattr(sse, "MAX_LINE", 100)
    with pytest.raises(ParseError, match="longer than 100 bytes"):
        list(events(b"x" * 10 for _ in range(100)))


def test_an_event_is_given_out_as_soon_as_it_is_whole() -> None:
    """Not with the piece after it."""
    pieces = iter([b"data: a\n\n", b"data: b\n\n"])
    assert next(events(pieces)) == ServerEvent("", "a")
    assert next(pieces) == b"data: b\n\n"


@pytest.mark.timeout(20)
def test_a_long_line_in_small_pieces_costs_no_more_than_its_length() -> None:
    """Joined anew for every piece, these would take minutes."""
    pieces = [b"data: ", *[b"x" * 100] * 60_000, b"\n\n"]
    assert [len(event.data) for event in events(pieces)] == [6_000_000]
