"""Rules of the seam where an answer goes on elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm._execution.splice import Splice

TEXT = st.text(alphabet="ab \n", max_size=12)


def spliced(before: str, pieces: list[str]) -> str:
    splice = Splice(before)
    return "".join(splice.take(piece) for piece in pieces) + splice.rest()


@given(TEXT, st.lists(TEXT, max_size=6))
def test_a_repetition_is_dropped_however_it_is_cut(before: str, pieces: list[str]) -> None:
    """A model that repeats all it was given, as Mistral's do, adds only what follows."""
    rest = "".join(pieces)
    whole = before + rest
    cuts = [whole[n : n + 3] for n in range(0, len(whole), 3)]
    assert spliced(before, cuts) == rest


@given(TEXT, TEXT)
def test_the_cuts_do_not_matter(before: str, rest: str) -> None:
    """One piece or a character at a time: the same text is new."""
    assert spliced(before, [rest]) == spliced(before, list(rest))


@pytest.mark.parametrize(
    ("before", "given", "new"),
    [
        ("The lamp", " turns", " turns"),
        ("The lamp ", " turns", "turns"),
        ("The lamp ", "turns", "turns"),
        ("The lamp", "The lamp turns", " turns"),
        ("The lamp", "The sea", "The sea"),
        ("The lamp", "The", "The"),
        ("The lamp\n\n", "\n", "\n"),
        ("x", "", ""),
    ],
)
def test_only_a_repetition_is_dropped(before: str, given: str, new: str) -> None:
    """All of the text before, or the space at its end; what merely begins alike is new."""
    assert spliced(before, [given]) == new


def test_nothing_is_held_back_longer_than_needed() -> None:
    """Text is handed over as soon as it cannot be a repetition any more."""
    splice = Splice("The lamp")
    assert [splice.take(piece) for piece in ("The", " se", "a")] == ["", "The se", "a"]
