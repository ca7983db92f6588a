"""How faults speak of what they found: the value, the nearest valid word, the keys nobody knows."""

from collections.abc import Iterable, Mapping
from datetime import date, time
from difflib import get_close_matches
from typing import Any

from flyllm._secret import redact
from flyllm.config.fault import Fault, Place

_NOUNS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "a boolean"),
    (str, "a string"),
    ((int, float), "a number"),
    ((list, tuple), "a list"),
    (Mapping, "a table"),
    ((date, time), "a date or time"),
    (type(None), "None"),
)
_LONGEST_SHOWN = 60


def noun(value: object) -> str:
    """Say what sort of thing `value` is, without showing it."""
    return next(
        (word for types, word in _NOUNS if isinstance(value, types)), f"an object of type {type(value).__name__}"
    )


def found(value: object) -> str:
    """Say what `value` is, and show it where it is short and simple."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = redact(f"{value}")
        return f"the string {text!r}" if len(text) <= _LONGEST_SHOWN else f"a string of {len(text)} characters"
    if isinstance(value, float) or (isinstance(value, int) and value.bit_length() <= 64):
        return f"{value}"
    return noun(value)


def hint(word: str, valid: Iterable[str]) -> str:
    """Return ": did you mean '...'?" for the valid word nearest to `word`, "" if none is near."""
    by_lower = {name.lower(): name for name in valid}
    close = get_close_matches(word.lower(), by_lower, n=1)
    return f": did you mean '{by_lower[close[0]]}'?" if close else ""


def unknown_keys(given: Iterable[str], valid: Iterable[str], where: Place) -> list[Fault]:
    """Return one fault for each of `given` that is not in `valid`."""
    valid = tuple(valid)
    return [
        Fault(f"Unknown key {key!r} in {where}{hint(key, valid)}\n  → Valid keys: {', '.join(valid)}", where / key)
        for key in given
        if key not in valid
    ]


def string_keys(table: Mapping[Any, Any], where: Place) -> tuple[dict[str, Any], list[Fault]]:
    """Return the part of `table` whose keys are strings, and one fault for each other key."""
    kept = {key: value for key, value in table.items() if isinstance(key, str)}
    others = [key for key in table if not isinstance(key, str)]
    return kept, [Fault(f"Keys in {where} must be strings, found {found(key)}", where) for key in others]
