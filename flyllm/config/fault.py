"""What is wrong, and where in the document: a text that knows its place."""

import json
import re
from collections.abc import Mapping
from typing import Any, Self

_BARE = re.compile(r"[\w-]+")


class Place(tuple[Any, ...]):
    """Where something stands in a document: keys and indices from the top. Reads as `providers[0].api_key`."""

    __slots__ = ()

    def __truediv__(self, part: str | int) -> "Place":
        return Place((*self, part))

    def __str__(self) -> str:
        parts = (f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in self)
        return "".join(parts).removeprefix(".") or "the configuration"


def _shown(key: object) -> str:
    text = f"{key}"
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class Fault(str):
    """One thing that is wrong: the first line says what, further ones what to do; `place` is where it stands."""

    place: Place

    def __new__(cls, text: str, place: Place) -> Self:
        """Hold `text`, which concerns what stands at `place`."""
        fault = super().__new__(cls, text)
        fault.place = place
        return fault


def located(fault: str, source: str, lines: Mapping[tuple[Any, ...], int]) -> str:
    """Return `fault` with the line of what it speaks of: "  → In flyllm.toml, line 14: providers[0].api_key".

    Args:
        source: the file's name, "" for a text that has none.
        lines: the line of each place of the document; where one is not known, the nearest place around it counts.
    """
    place = fault.place if isinstance(fault, Fault) else Place()
    line = next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), None)
    if line is None:
        return fault
    where = f"{source}, line {line}: {place}" if source else f"line {line}: {place}"
    for words in ("  → In", "  → Referenced in"):
        if f"\n{words} {place}" in fault:
            return fault.replace(f"\n{words} {place}", f"\n{words} {where}", 1)
    first, newline, rest = fault.partition("\n")
    return f"{first}\n  → In {where}{newline}{rest}"
