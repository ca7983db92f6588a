"""A set and a map of 64-bit numbers in arrays: 12 to 48 bytes per number, where Python's own take 100 to 150.

The numbers must be spread evenly, as hashes are: a number's lower bits are its slot, and a taken slot means the next.
"""

from array import array

_FREE = 0
_SLOTS = 1024


class NumberSet:
    """Numbers from 0 to 2**64 - 1; 0 and 1 count as one."""

    def __init__(self) -> None:
        self._numbers = _zeros("Q", _SLOTS)
        self._count = 0

    def add(self, number: int) -> bool:
        """Add `number`; return whether it is new."""
        number = number or 1
        slot = _slot(self._numbers, number)
        if self._numbers[slot] != _FREE:
            return False
        self._numbers[slot] = number
        self._count += 1
        if _is_full(self._numbers, self._count):
            self._grow()
        return True

    def _grow(self) -> None:
        old, self._numbers = self._numbers, _zeros("Q", 2 * len(self._numbers))
        for number in old:
            if number != _FREE:
                self._numbers[_slot(self._numbers, number)] = number


class OffsetMap:
    """From numbers, of which 0 and 1 count as one, to places in a file."""

    def __init__(self) -> None:
        self._numbers, self._offsets = _zeros("Q", _SLOTS), _zeros("q", _SLOTS)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __setitem__(self, number: int, offset: int) -> None:
        number = number or 1
        slot = _slot(self._numbers, number)
        self._count += self._numbers[slot] == _FREE
        self._numbers[slot], self._offsets[slot] = number, offset
        if _is_full(self._numbers, self._count):
            self._grow()

    def get(self, number: int) -> int | None:
        """Return the place for `number`, None where there is none."""
        slot = _slot(self._numbers, number or 1)
        return None if self._numbers[slot] == _FREE else self._offsets[slot]

    def _grow(self) -> None:
        numbers, offsets = self._numbers, self._offsets
        self._numbers, self._offsets = _zeros("Q", 2 * len(numbers)), _zeros("q", 2 * len(numbers))
        for number, offset in zip(numbers, offsets, strict=True):
            if number != _FREE:
                slot = _slot(self._numbers, number)
                self._numbers[slot], self._offsets[slot] = number, offset


def _zeros(kind: str, length: int) -> "array[int]":
    return array(kind, [0]) * length


def _is_full(numbers: "array[int]", count: int) -> bool:
    return 3 * count > 2 * len(numbers)


def _slot(numbers: "array[int]", number: int) -> int:
    """Return the slot that has `number`, or the free one where it would go."""
    last = len(numbers) - 1
    slot = number & last
    while numbers[slot] not in (_FREE, number):
        slot = (slot + 1) & last
    return slot
