"""Odd streams on every wire: none that is cut passes for whole, and (nearly) none that came whole is lost."""

from itertools import pairwise

import pytest

from flyllm import LLMError
from tests.contract.recordings import Answer, of_deltas
from tests.contract.streams.odd import BROKEN, HARMLESS
from tests.contract.streams.reading import Piecewise, opened
from tests.contract.streams.samples import WIRES, Sample, simulated

TEXT = "Grüße, 世界 🌍! Two words."
LOST = {
    # No event of Google's is the last one: whatever follows the finish reason is read as part of the answer.
    ("an error after the end", "generate_content"),
}
"""By oddity and wire: answers that came whole, as far as a human can tell, and are taken for broken."""

each_wire = pytest.mark.parametrize("row", WIRES, ids="-".join)


def read(sample: Sample, body: bytes, size: int = 0) -> tuple[str, Answer | None]:
    """Return the text delivered and the whole answer, None if it broke off; `size` bytes at a time, 0 for all."""
    pieces = [body[a : a + size] for a in range(0, len(body), size)] if size else [body]
    deltas = []
    try:
        for delta in opened(sample, Piecewise(sample.content_type, pieces)):
            deltas.append(delta)
    except LLMError:
        return "".join(delta.content for delta in deltas), None
    answer = of_deltas(deltas)
    return answer.text, answer


@each_wire
@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("oddity", HARMLESS)
def test_what_is_whole_is_read_whatever_stands_beside_it(row: tuple[str, str], oddity: str, size: int) -> None:
    """Text, finish and usage of a whole answer in odd clothes; where it is lost, then by an error after a true text."""
    sample = simulated(TEXT)[row]
    text, answer = read(sample, HARMLESS[oddity](sample), size)
    if answer is None:
        assert (oddity, row[1]) in LOST
        assert TEXT.startswith(text)
    else:
        assert answer == read(sample, sample.body)[1]


@each_wire
def test_a_line_end_may_be_split_between_its_two_bytes(row: tuple[str, str]) -> None:
    """CR comes, LF follows later."""
    sample = simulated(TEXT)[row]
    body = HARMLESS["CRLF"](sample)
    marks = [0, *(at + 1 for at in range(len(body)) if body[at : at + 2] == b"\r\n"), len(body)]
    pieces = [body[a:b] for a, b in pairwise(marks)]
    assert of_deltas(opened(sample, Piecewise(sample.content_type, pieces))).text == TEXT


@each_wire
@pytest.mark.parametrize("oddity", BROKEN)
def test_what_is_broken_is_an_error_after_a_true_beginning(row: tuple[str, str], oddity: str) -> None:
    """Nothing is skipped that may have been part of the answer."""
    sample = simulated(TEXT)[row]
    text, answer = read(sample, BROKEN[oddity](sample))
    assert answer is None
    assert TEXT.startswith(text)
