"""Every spelling of Retry-After, in seconds, and none of any text breaks it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm.providers.retry_after import duration, retry_after

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
LATER = "Sun, 06 Nov 1994 08:50:07 GMT"


def google(delay: object) -> dict[str, object]:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    return {"error": {"code": 429, "details": [{"reason": "x"}, info]}}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": LATER, "date": DATE}, 30.0),
        ({"retry-after": DATE, "date": LATER}, 0.0),
        ({"retry-after": LATER}, None),  # our clock may be wrong: without the server's there is no saying
        ({"retry-after": LATER, "date": "yesterday"}, None),
        ({"retry-after": "Sun, 06 Nov 99999999999999999999 08:49:37 GMT", "date": DATE}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:07", "date": DATE}, None),
    ],
)
def test_headers(headers: dict[str, str], seconds: float | None) -> None:
    """Milliseconds, seconds, dates, and values that say nothing usable."""
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (google("36s"), 36.0),
        (google("0.5s"), 0.5),
        (google("soon"), None),
        (google(3), None),
        ({"error": {"details": "none"}}, None),
        ({"error": "quota"}, None),
        ([google("1s")], None),
        ("text", None),
        (None, None),
    ],
)
def test_googles_body(body: object, seconds: float | None) -> None:
    """RetryInfo in the error's details counts where no header says it."""
    assert retry_after({}, body) == seconds
    assert retry_after({"retry-after": "2"}, body) == 2.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("1h2m3s", 3723.0),
        ("1.5s", 1.5),
        ("350ms", 0.35),
        ("1m30.951s", 90.951),
        ("", None),
        ("5", None),
        ("5 s", None),
        ("s", None),
        ("-5s", None),
        ("9" * 400 + "s", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    """As Go writes them; a length that is no number is none."""
    assert duration(text) == (pytest.approx(seconds) if seconds is not None else None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "details", "retryDelay", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "retry-after-ms", "date"]),
        st.text() | st.just(DATE) | st.from_regex(r"\d+\D\d*"),
    ),
    body=JSON,
)
def test_it_is_total(headers: dict[str, str], body: object) -> None:
    """Whatever stands there, the answer is None or a finite number of seconds not below zero."""
    seconds = retry_after(headers, body)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@given(st.text() | st.from_regex(r"(\d{1,3}(h|m|s|ms))+"))
def test_a_duration_is_total(text: str) -> None:
    """Any text is a duration or None."""
    seconds = duration(text)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)
