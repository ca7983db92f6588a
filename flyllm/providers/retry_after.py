"""How long a provider asks to wait: every spelling of Retry-After, in seconds."""

from collections.abc import Mapping
from typing import Any

from flyllm.providers.rate_limit_headers import exhausted_for
from flyllm.providers.times import duration, number, until_date


def retry_after(headers: Mapping[str, str], body: Any = None) -> float | None:
    """Return seconds to wait, or None when the reply does not say so in a usable way.

    `headers` have lower-case names. Order: retry-after-ms, retry-after (seconds, then HTTP date), the body's
    RetryInfo (Google), the reset of the rate limits that are used up. A date counts from the reply's own `Date`, so a
    wrong local clock does not matter. Negative, infinite and unreadable values count as absent; a date in the past
    is 0. Of a header sent twice the longer wait is taken, which obeys both.
    """
    milliseconds = _longest(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    value = headers.get("retry-after")
    for seconds in (_longest(value), until_date(value, headers.get("date")), _from_body(body)):
        if seconds is not None:
            return seconds
    return exhausted_for(headers)


def _longest(text: str | None) -> float | None:
    """Read a number, or several that an HTTP client joined; None unless all are numbers."""
    values = [number(part) for part in text.split(",")] if text else []
    numbers = [value for value in values if value is not None]
    return max(numbers) if numbers and len(numbers) == len(values) else None


def _from_body(body: Any) -> float | None:
    if isinstance(body, list) and body:
        body = body[0]  # Google wraps errors of streamed calls in a list
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str):
            return duration(delay)
    return None
