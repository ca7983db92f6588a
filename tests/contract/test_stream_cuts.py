"""Every stream there is, cut: wherever it stops, it is an error after exactly what came, or the whole answer.

A fixed part of what `python -m tests.contract.cuts` does: every byte of the short ones; of the others every so many,
and all ends of frames.
"""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.streams.cut_server import HOWS, Pair
from tests.contract.streams.cutting import Judge
from tests.contract.streams.reading import in_pieces
from tests.contract.streams.samples import WIRES, every, names, recorded, smallest

SHORT = 1300
"""Bytes up to which a stream is cut everywhere."""

each_stream = pytest.mark.parametrize("name", names())


@cache
def judge(name: str) -> Judge:
    return Judge(every()[name])


def test_all_recorded_streams_are_there() -> None:
    """None of the 62 recordings is left out but the one that ends in an error."""
    if not recorded():
        pytest.skip("no recordings (set FLYLLM_RECORDINGS)")
    assert len(recorded()) >= 62
    assert sum(not name.startswith("simulated") for name in names()) == len(recorded()) - 1
    assert set(names()) == set(every())


@each_stream
def test_a_whole_stream_says_what_a_plain_reader_finds_in_it(name: str) -> None:
    """The reader that judges the others below, and flyllm's, agree on the text, and on that it is whole."""
    whole = judge(name).plain.whole
    assert judge(name).whole.text == whole.text
    assert whole.finished or whole.terminal
    assert whole.noticed


@each_stream
@given(data=st.data())
@settings(max_examples=5)
def test_a_stream_split_anywhere_reads_the_same(name: str, data: st.DataObject) -> None:
    """Text, reasoning, tool calls, finish, usage and model: where the network cuts a body cannot be seen."""
    cuts = data.draw(st.lists(st.integers(1, len(every()[name].body) - 1), max_size=30))
    assert in_pieces(every()[name], cuts) == judge(name).whole


@each_stream
def test_a_stream_in_single_bytes_delivers_what_is_complete_and_no_more(name: str) -> None:
    """Before each byte exactly the text of the frames so far has been handed over: nothing early, nothing held back."""
    assert judge(name).delivered() is None


@each_stream
def test_a_stream_cut_anywhere_is_an_error_or_whole(name: str) -> None:
    """Ended properly before its time, or broken off."""
    step = 1 if len(every()[name].body) <= SHORT else 499
    assert list(judge(name).faults(step))[:3] == []


@pytest.mark.parametrize("row", WIRES, ids="-".join)
def test_a_stream_cut_anywhere_is_failed_over_unseen_or_interrupted(row: tuple[str, str]) -> None:
    """Before a whole manager: somebody else's whole answer where nothing had come, else exactly the partial text."""
    sample = smallest()[row]
    with Pair(sample) as pair:
        step = max(5, len(sample.body) // 100)
        cuts = sorted({*range(0, len(sample.body), step), *pair.plain.ends, *(end - 1 for end in pair.plain.ends[1:])})
        faults = [pair.wrong(cut, HOWS[number % len(HOWS)]) for number, cut in enumerate(cuts)]
        assert [fault for fault in faults if fault] == []
