"""Lengths and points of time as providers write them in headers and bodies, in seconds.

A point of time is counted from the reply's own `Date`, so a wrong clock here does not matter. Whatever is not finite,
below zero or not understood is None.
"""

import math
import re
from datetime import UTC, datetime
from functools import lru_cache

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile("".join(rf"(?:(\d+(?:\.\d+)?){unit})?" for unit in _UNITS), re.ASCII)
_EPOCH = 1e9
"""From here on a number is a point of time: seconds since 1970, or (OpenRouter) thousandths of them."""


def number(text: str | None) -> float | None:
    """Read a number."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def duration(text: str) -> float | None:
    """Read "6m0s", "1.5s" or "350ms", as Go writes lengths of time."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or match.lastindex is None:
        return None
    parts = zip(match.groups(), _UNITS.values(), strict=True)
    seconds = sum(float(amount) * factor for amount, factor in parts if amount)
    return seconds if math.isfinite(seconds) else None


def until_date(text: str | None, date: str | None) -> float | None:
    """Return the seconds from `date` to `text`, both HTTP dates; 0.0 where it is past."""
    return _between(_http_date(date), _http_date(text))


def until(text: str | None, date: str | None) -> float | None:
    """Return the seconds until a limit's reset: a length, seconds, an RFC 3339 time or a time since 1970.

    `date` is the reply's `Date`, from which the last two are counted.
    """
    if text is None:
        return None
    value = number(text)
    if value is None:
        length = duration(text)
        return length if length is not None else _between(_http_date(date), _rfc_3339(text))
    if value < _EPOCH:
        return value
    now = _http_date(date)
    return max(0.0, (value / 1000.0 if value >= _EPOCH * 1000.0 else value) - now.timestamp()) if now else None


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return max(0.0, (end - start).total_seconds()) if start and end else None


@lru_cache(64)  # a busy server sends the same one many times
def _http_date(text: str | None) -> datetime | None:
    """Read any of the three forms of RFC 9110, 5.6.7; a date without a zone is in GMT as well."""
    if not text:
        return None
    from email.utils import parsedate_to_datetime  # large, and few headers need it

    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _rfc_3339(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return time if time.tzinfo else None
