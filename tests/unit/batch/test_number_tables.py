"""Numbers in arrays behave as in a set and a dict, in a fraction of their memory."""

import random
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from flyllm._batch.number_tables import NumberSet, OffsetMap

NUMBERS = st.lists(st.integers(1, 2**64 - 1) | st.integers(1, 40).map(lambda n: n << 32), max_size=200)
MANY = 20_000


@given(NUMBERS)
def test_a_set_tells_what_is_new(numbers: list[int]) -> None:
    """Also where numbers fall into one slot."""
    seen: set[int] = set()
    table = NumberSet()
    for number in numbers:
        assert table.add(number) == (number not in seen)
        seen.add(number)


@given(NUMBERS)
def test_a_map_keeps_the_last_offset_of_each_number(numbers: list[int]) -> None:
    """And knows no others."""
    known: dict[int, int] = {}
    table = OffsetMap()
    for offset, number in enumerate(numbers):
        table[number] = known[number] = offset
    assert len(table) == len(known)
    assert {number: table.get(number) for number in known} == known
    assert table.get(2**63 + 12345) == known.get(2**63 + 12345)


def test_they_grow() -> None:
    """Twenty thousand numbers are told apart as well as ten."""
    draw = random.Random(1)
    numbers = [draw.getrandbits(64) for _ in range(20_000)]
    seen, places = NumberSet(), OffsetMap()
    for offset, number in enumerate(numbers):
        assert seen.add(number)
        places[number] = offset
    assert not any(map(seen.add, numbers))
    assert [places.get(number) for number in numbers] == list(range(len(numbers)))


def test_nought_is_a_number_like_one() -> None:
    """A hash of 0 is not taken for a free slot."""
    seen, places = NumberSet(), OffsetMap()
    assert seen.add(0)
    assert not seen.add(0)
    places[0] = 7
    assert places.get(0) == 7


def test_an_offset_takes_50_bytes_and_a_number_25() -> None:
    """Of what a dict and a set would take, a third."""
    draw = random.Random(2)
    tracemalloc.start()
    try:
        seen = NumberSet()
        for _ in range(MANY):
            seen.add(draw.getrandbits(64))
        of_set = tracemalloc.get_traced_memory()[0]
        places = OffsetMap()
        for offset in range(MANY):
            places[draw.getrandbits(64)] = offset
        of_map = tracemalloc.get_traced_memory()[0] - of_set
    finally:
        tracemalloc.stop()
    assert of_set < 25 * MANY
    assert of_map < 50 * MANY
