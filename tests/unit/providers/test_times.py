"""Lengths and points of time in every spelling, and no text breaks their reading."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm.providers.times import duration, number, until, until_date

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
EPOCH = 784111777  # the same, RFC 9110, 5.6.7


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
        ("1s500ms", 1.5),
        ("2s1m", None),
        ("٣s", None),
        ("9" * 400 + "s", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    """As Go writes them; a length that is no number is none."""
    assert duration(text) == (pytest.approx(seconds) if seconds is not None else None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("59.7", 59.7),
        ("0", 0.0),
        ("2m59.56s", 179.56),
        ("12ms", 0.012),
        ("1994-11-06T08:50:07Z", 30.0),
        ("1994-11-06T09:50:07.5+01:00", 30.5),
        ("1994-11-06T08:49:00Z", 0.0),
        ("1994-11-06T08:50:07", None),
        (str(10**9 + 1), 10**9 + 1 - EPOCH),
        (str((EPOCH + 10**9) * 1000), 10**9),
        ("-1", None),
        ("nan", None),
        ("", None),
        ("soon", None),
        (None, None),
    ],
)
def test_resets(text: str | None, seconds: float | None) -> None:
    """Lengths in words or seconds, times by RFC 3339 or since 1970, counted from the reply's date."""
    assert until(text, DATE) == (pytest.approx(seconds) if seconds is not None else None)


@pytest.mark.parametrize("text", ["1994-11-06T08:50:07Z", "1994-11-06", str(2 * 10**9)])
def test_a_point_of_time_needs_the_replys_date(text: str) -> None:
    """Our own clock may be wrong."""
    assert until(text, None) is None
    assert until(text, "yesterday") is None


@pytest.mark.parametrize(
    "text", ["Sun, 06 Nov 1994 08:50:07 GMT", "Sunday, 06-Nov-94 08:50:07 GMT", "Sun Nov  6 08:50:07 1994"]
)
def test_the_three_forms_of_an_http_date(text: str) -> None:
    """RFC 9110 has a recipient take all; the last has no zone and is GMT as well."""
    assert until_date(text, DATE) == 30.0
    assert until_date(DATE, text) == 0.0


TEXT = st.text() | st.binary().map(lambda raw: raw.decode("latin-1")) | st.from_regex(r"[-+]?\d{0,14}[:.TZsmh,-]?\d*")


@given(TEXT, TEXT | st.just(DATE))
def test_reading_is_total(text: str, date: str) -> None:
    """Any text is None or a finite time not below zero."""
    for seconds in (number(text), duration(text), until(text, date), until_date(text, date)):
        assert seconds is None or (math.isfinite(seconds) and seconds >= 0)
