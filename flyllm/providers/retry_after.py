"""How long a provider asks to wait: every spelling of Retry-After, in seconds."""

import math
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(h|ms|m|s))")
_FACTORS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def retry_after(headers: Mapping[str, str], body: Any = None) -> float | None:
    """Return seconds to wait, or None when the reply does not say so in a usable way.

    `headers` have lower-case names. Order: retry-after-ms, retry-after (seconds, then HTTP date), the body's
    RetryInfo (Google). A date counts from the reply's own `Date`, so a wrong local clock does not matter.
    Negative, infinite and unreadable values count as absent; a date in the past is 0.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is None:
        seconds = _from_date(value, headers.get("date"))
    return seconds if seconds is not None else _from_body(body)


def duration(text: str) -> float | None:
    """Read "6m0s", "1.5s" or "350ms" as seconds; None if it is something else."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        return None
    seconds = sum(float(number) * _FACTORS[unit] for number, unit in parts)
    return seconds if math.isfinite(seconds) else None


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _from_date(text: str | None, now: str | None) -> float | None:
    then, base = _date(text), _date(now)
    if then is None or base is None:
        return None
    return max(0.0, (then - base).total_seconds())


def _date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else None


def _from_body(body: Any) -> float | None:
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str):
            return duration(delay)
    return None
