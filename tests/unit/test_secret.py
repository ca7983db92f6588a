"""Rules of keys: nothing prints one, and texts that others wrote lose them."""

import base64
import copy
import io
import json
import logging
import pickle
import string
import traceback
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm._secret import MASK, Secret, redact

CANARY = "sk-proj-CANARY/7f3a+9Qz\\x2e\"'=="
VISIBLE = "CANARY/7f3a"


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        format,
        "{!r:>40}".format,
        "{0!a}".format,
        lambda s: f"{s:>40}",
        lambda s: "%s %r" % (s, s),  # noqa: UP031
        lambda s: str([s, {"key": s}, (s,)]),
        lambda s: str({name: getattr(s, name) for name in s.__slots__}),
        lambda s: json.dumps({"key": s}, default=str),
    ],
)
def test_no_way_of_printing_shows_a_key(show: "object") -> None:
    """A secret is masked in repr, str, format, containers and a dump of its slots."""
    assert VISIBLE not in show(Secret(CANARY))  # type: ignore[operator]


def test_a_secret_has_no_dict() -> None:
    """`vars()` finds nothing to show."""
    with pytest.raises(TypeError):
        vars(Secret(CANARY))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_does_not_pickle(protocol: int) -> None:
    """A key leaves the process in no pickle; the error says what to do and does not show it."""
    with pytest.raises(TypeError, match="cannot be pickled") as caught:
        pickle.dumps({"key": Secret(CANARY)}, protocol)
    assert VISIBLE not in str(caught.value)


def test_a_secret_is_copied_as_itself() -> None:
    """Copies of a configuration keep the key, as nothing about it can change."""
    secret = Secret(CANARY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"key": secret})["key"] is secret


def test_a_traceback_with_locals_shows_no_key() -> None:
    """Error reporters that capture local variables (Sentry does) get the mask."""

    def work(key: Secret) -> None:
        alias = [key]
        raise RuntimeError(f"failed with {alias}")

    try:
        work(Secret(CANARY))
    except RuntimeError as exc:
        shown = "".join(traceback.TracebackException.from_exception(exc, capture_locals=True).format())
    assert "key = Secret('***')" in shown
    assert VISIBLE not in shown


def test_logging_a_secret_shows_no_key() -> None:
    """A log line with a secret as argument is masked."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.emit(logging.LogRecord("x", logging.INFO, "f", 1, "key %s %r", (Secret(CANARY), Secret(CANARY)), None))
    assert MASK in stream.getvalue()
    assert VISIBLE not in stream.getvalue()


def test_secrets_compare_by_value_and_only_with_secrets() -> None:
    """Two secrets of one key are equal; a secret never equals the text, so that no comparison tells it."""
    assert Secret("a" * 8) == Secret("a" * 8)
    assert hash(Secret("a" * 8)) == hash(Secret("a" * 8))
    assert Secret("a" * 8) != Secret("b" * 8)
    assert Secret(CANARY) != CANARY


def test_an_empty_secret_is_false_and_says_so() -> None:
    """No key is told apart from a key."""
    assert not Secret("")
    assert (repr(Secret("")), str(Secret(""))) == ("Secret('')", "")
    assert Secret("x")
    assert Secret(CANARY).reveal() == CANARY


SPELLINGS = {
    "raw": CANARY,
    "url": quote(CANARY, safe=""),
    "json": json.dumps(CANARY)[1:-1],
    "repr": repr(CANARY)[1:-1],
    "bytes": repr(CANARY.encode())[2:-1],
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "base64 url-safe": base64.urlsafe_b64encode(CANARY.encode()).decode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_key_is_removed_in_every_spelling(spelling: str) -> None:
    """Whatever way an SDK, a proxy or a provider wrote the key, it goes; the text around it stays."""
    text = redact(f"before {spelling} after", Secret(CANARY))
    assert spelling.rstrip("=") not in text
    assert text.startswith("before ")
    assert text.endswith(" after")


@pytest.mark.parametrize("user", ["", "u", "ab", "user", "longer"])
def test_a_key_inside_a_base64_text_is_removed(user: str) -> None:
    """In "Basic ..." the key may stand at any offset of the encoded text."""
    key = "".join(chr(48 + (i * 7) % 10) + chr(97 + (i * 11) % 26) for i in range(16))
    header = base64.b64encode(f"{user}:{key}".encode()).decode()
    inner = base64.b64encode(key.encode()).decode()
    shown = redact(f"Authorization: Basic {header}", Secret(key))
    for width in (12,):
        assert not any(header[i : i + width] in shown for i in range(8, len(header) - width))
    assert inner not in shown


def test_a_key_that_begins_with_another_is_removed_whole() -> None:
    """Of two keys of which one begins with the other, no tail is left."""
    short, long = Secret("key12345"), Secret("key12345tail6789")
    for secrets in ((short, long), (long, short)):
        assert redact("a key12345tail6789 b", *secrets) == "a *** b"


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-ab12CD34ef56.",
        "Incorrect API key provided: sk-ab***********yz12. You can find",
        "Authorization: Bearer abc.DEF-123_456~789==",
        "key AIzaSyA1234567890abcdefghijklmnopqrstuv is invalid",
        "gsk_abcdefghijklmnop1234 xai-abcdefgh1234 pplx-abcdef123456 tgp_v1_abcdefghij",
    ],
)
def test_what_looks_like_a_key_is_removed_without_knowing_it(text: str) -> None:
    """Keys that providers echo, also partly masked, go although they are not ours."""
    shown = redact(text)
    assert MASK in shown
    for word in ("ab12CD", "yz12", "DEF-123", "SyA123", "mnop1234", "abcdefgh1", "abcdef123", "abcdefghij"):
        assert word not in shown


@pytest.mark.parametrize(
    "text",
    ["", "HTTP 404: model gpt-4o-mini not found", "the task 'risk-assessment' has no instance", "a\x00b", "naïve ☃"],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    """Redaction does not garble what holds no key."""
    assert redact(text, Secret("sk-0123456789abcdef-XYZ")) == text


@pytest.mark.parametrize("key", ["", "abc"])
def test_a_text_too_short_for_a_key_is_not_hidden(key: str) -> None:
    """An empty or tiny key does not turn the message into asterisks."""
    assert redact("abc abcdef", Secret(key)) == "abc abcdef"


def test_a_key_with_a_lone_surrogate_is_no_crash() -> None:
    """Any text can be asked to be hidden, valid or not."""
    assert redact("x \ud800abcd y", Secret("\ud800abcd")) == "x *** y"


KEYS = st.text(string.ascii_letters + string.digits + "-_./+=", min_size=16, max_size=60).filter(
    lambda key: not any(key[i : i + 8].isalpha() and key[i : i + 8].islower() for i in range(len(key) - 7))
)


@given(key=KEYS, before=st.text(max_size=20), after=st.text(max_size=20), data=st.data())
def test_no_eight_characters_of_a_long_key_survive(key: str, before: str, after: str, data: st.DataObject) -> None:
    """Of a key of 16 or more characters, no 8 in a row are left, also where an excerpt has cut it."""
    start = data.draw(st.integers(0, len(key) - 8))
    end = data.draw(st.integers(start + 8, len(key)))
    shown = redact(f"{before} {key} {key[start:end]} {after}", Secret(key))
    around = f"{before} {after}"
    for i in range(len(key) - 7):
        assert key[i : i + 8] not in shown or key[i : i + 8] in around


@given(key=st.text(min_size=4, max_size=40), text=st.text(max_size=60))
def test_redaction_takes_any_text_and_any_key(key: str, text: str) -> None:
    """Redaction never raises, and never leaves a whole key."""
    shown = redact(f"{text}{key}{text}", Secret(key))
    assert key not in shown or key in MASK * 3


def test_redaction_is_quick_on_a_long_text() -> None:
    """A long error page costs no noticeable time (the patterns do not backtrack)."""
    text = "bearer " * 2000 + "sk-" * 5000 + "A" * 20000
    assert isinstance(redact(text, Secret(CANARY * 3)), str)
