"""A journal that is cut at any byte, as by a crash, opens and holds what was whole."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyllm._batch.journal import Journal
from tests.unit.batch.journals import answer, named

ANSWERS = ["short", "", "ä日\ud800", "two\nlines", "x" * 300]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "run.jsonl"
    with Journal.open(path) as journal:
        journal.record([(journal.entry(named(str(n))), n, answer(text)) for n, text in enumerate(ANSWERS)])
    return path.read_bytes()


def recalled(path: Path) -> list[str]:
    with Journal.open(path) as journal:
        found = [journal.recall(journal.entry(named(str(n)))) for n in range(len(ANSWERS))]
    return [response.content for response in found if response is not None]


def test_whatever_is_left_is_recalled(whole: bytes, tmp_path: Path) -> None:
    """Every byte at which it may be cut: the results whose text is whole are there, and no other."""
    path = tmp_path / "run.jsonl"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        # A line is whole without its end; the first is the header.
        lines = whole[: length + 1].count(b"\n")
        assert recalled(path) == ANSWERS[: max(0, lines - 1)], length
        assert recalled(path) == ANSWERS[: max(0, lines - 1)], length
        assert path.read_bytes().endswith(b"\n")


@settings(max_examples=200)
@given(st.data())
def test_whatever_is_damaged_costs_no_more_than_its_own_line(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Bytes behind the header were overwritten: the results of the other lines are there, and nothing is raised."""
    header = whole.index(b"\n") + 1
    at = data.draw(st.integers(header, len(whole) - 1))
    junk = data.draw(st.binary(min_size=1, max_size=20))
    spoilt = (whole[:at] + junk + whole[at + len(junk) :])[: len(whole)]
    path = tmp_path_factory.mktemp("spoilt") / "run.jsonl"
    path.write_bytes(spoilt)
    first = whole[:at].count(b"\n") - 1
    last = whole[: at + len(junk)].count(b"\n") - 1
    untouched = [text for n, text in enumerate(ANSWERS) if not first <= n <= last]
    found = recalled(path)
    assert [text for text in untouched if text not in found] == []
