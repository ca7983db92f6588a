"""Every spelling of Retry-After, in seconds, and none of any text breaks it."""

import math
import time
from collections.abc import Callable
from email.utils import formatdate

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyllm.providers.retry_after import retry_after

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
        ({"retry-after": "Sun Nov  6 08:50:07 1994", "date": DATE}, 30.0),
        ({"retry-after": "2, 5"}, 5.0),  # sent twice and joined by the HTTP client: the longer obeys both
        ({"retry-after-ms": "350,250"}, 0.35),
        ({"retry-after": "2, soon"}, None),
        ({"retry-after": "-5, 2"}, None),
        ({"retry-after": "2,"}, None),
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
        ([google("1s")], 1.0),  # as streamed calls wrap it
        ([], None),
        ([[]], None),
        ("text", None),
        (None, None),
    ],
)
def test_googles_body(body: object, seconds: float | None) -> None:
    """RetryInfo in the error's details counts where no header says it."""
    assert retry_after({}, body) == seconds
    assert retry_after({"retry-after": "2"}, body) == 2.0


USED_UP = {
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "6m0s",
    "x-ratelimit-remaining-tokens": "900",
    "x-ratelimit-reset-tokens": "9m0s",
}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (USED_UP, 360.0),
        (USED_UP | {"retry-after": "soon"}, 360.0),
        (USED_UP | {"retry-after": "2"}, 2.0),
        (USED_UP | {"x-ratelimit-remaining-tokens": "0"}, 540.0),
        (USED_UP | {"x-ratelimit-remaining-requests": "1"}, None),
        (
            {
                "date": DATE,
                "anthropic-ratelimit-output-tokens-remaining": "0",
                "anthropic-ratelimit-output-tokens-reset": "1994-11-06T08:50:07Z",
            },
            30.0,
        ),
    ],
)
def test_the_reset_of_a_used_up_limit_is_the_last_resort(headers: dict[str, str], seconds: float | None) -> None:
    """Only what is used up has to be waited for, and only where nothing else says how long."""
    assert retry_after(headers) == seconds
    assert retry_after(headers, google("1s")) == (seconds if "retry-after" in headers and seconds == 2.0 else 1.0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "details", "retryDelay", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


VALUE = (
    st.text()
    | st.binary().map(lambda raw: raw.decode("latin-1"))
    | st.just(DATE)
    | st.from_regex(r"[-+]?\d+\D\d*")
    | st.floats().map(str)
)


@settings(deadline=None)
@given(
    headers=st.dictionaries(
        st.sampled_from(
            ["retry-after", "retry-after-ms", "date", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-limit"]
        ),
        VALUE,
    ),
    body=JSON,
)
def test_it_is_total(headers: dict[str, str], body: object) -> None:
    """Whatever stands there, the answer is None or a finite number of seconds not below zero."""
    seconds = retry_after(headers, body)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@pytest.fixture(scope="module")
def sdk() -> Callable[[dict[str, str]], float | None]:
    """The openai SDK's own reading of Retry-After. Private: only to compare with."""
    client = openai.OpenAI(api_key="k", http_client=httpx2.Client(verify=False, trust_env=False))
    return lambda headers: client._parse_retry_after_header(httpx2.Headers(headers))


WAIT = (
    st.floats(-10, 10**6).map(str)
    | st.integers(-10, 10**6).map(str)
    | st.sampled_from(["nan", "-inf", "1_0", "+5", " 7 ", "1e3", "0x10", "soon", ""])
    | st.text("0123456789.eE+-_ ", max_size=8)
)


def infinite(text: str) -> bool:
    try:
        return math.isinf(float(text))
    except ValueError:
        return False


@settings(deadline=None)
@given(headers=st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms"]), WAIT))
def test_it_agrees_with_the_openai_sdk(headers: dict[str, str], sdk: Callable[[dict[str, str]], float | None]) -> None:
    """A number that the SDK would wait for means the same to us; infinity, which it takes for two minutes, nothing."""
    theirs = sdk(headers)
    if (
        theirs is not None
        and 0 <= theirs < math.inf
        and math.copysign(1, theirs) > 0
        and not any(map(infinite, headers.values()))
    ):
        assert retry_after(headers) == pytest.approx(theirs)


@settings(deadline=None)
@given(seconds=st.integers(-(10**6), 10**8))
def test_it_agrees_with_the_openai_sdk_on_dates(seconds: int, sdk: Callable[[dict[str, str]], float | None]) -> None:
    """With a right clock here the date means the same to both; to us a past one is no wait."""
    now = int(time.time())
    headers = {"date": formatdate(now, usegmt=True), "retry-after": formatdate(now + seconds, usegmt=True)}
    theirs, ours = sdk(headers), retry_after(headers)
    assert theirs is not None
    assert ours == pytest.approx(max(0.0, theirs), abs=2.0)
