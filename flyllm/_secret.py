"""Keys that cannot be printed, and the removal of keys from texts that others wrote."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote

MASK = "***"

SHORTEST_KEY = 4
"""A shorter text is no key; replacing it would garble ordinary words."""

LONG_KEY = 16
FRAGMENT = 8
"""Of a key of at least LONG_KEY characters, FRAGMENT in a row are hidden too."""

_URL_SAFE = str.maketrans("+/", "-_")
# Providers echo keys, also partly masked ("Incorrect API key provided: sk-ab***yz").
_KEY_SHAPES = re.compile(
    r"(?i)(?:bearer\s+[\w.~+/*-]{8,}=*|\b(?:sk|gsk|pplx|xai|key|tgp|AIza)[-_][\w*.-]{6,}|\bAIza[\w-]{20,})"
)


class Origin(NamedTuple):
    """Where a key was found: `text` with variables such as "${OPENAI_API_KEY}", or the file of that name."""

    text: str = ""
    file: str = ""


class Secret:
    """A key: masked in repr, str and format, never pickled, and compared by value.

    `reveal()` returns the text; it is called where the key is handed to an SDK and nowhere else. `origin` says where
    the key was found, so that another process can look there itself; None where it was given as it is.
    """

    __slots__ = ("_reveal", "origin")

    def __init__(self, value: str, origin: Origin | None = None) -> None:
        self.origin = origin
        # A closure, so that neither __dict__, vars(), a slot dump nor a debugger's repr shows the text.
        self._reveal: Callable[[], str] = lambda: value

    def reveal(self) -> str:
        """Return the key itself."""
        return self._reveal()

    def __bool__(self) -> bool:
        return bool(self._reveal())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._reveal() == other._reveal()

    def __hash__(self) -> int:
        return hash(self._reveal())

    def __repr__(self) -> str:
        return f"Secret('{MASK}')" if self else "Secret('')"

    def __str__(self) -> str:
        return MASK if self else ""

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __reduce__(self) -> tuple[type["Secret"], tuple[str]]:
        raise TypeError("a Secret cannot be pickled: pass the key to the other process by its own channel")


def redact(text: str, *secrets: Secret) -> str:
    """Return `text` without the given keys in any spelling, nor parts of long ones, nor what looks like a key."""
    # The longest first: a key may begin with another one.
    spellings = sorted({s for secret in secrets for s in _spellings(secret.reveal())}, key=len, reverse=True)
    for spelling in spellings:
        text = text.replace(spelling, MASK)
    return _KEY_SHAPES.sub(MASK, _without_fragments(text, spellings))


def _spellings(key: str) -> set[str]:
    if len(key) < SHORTEST_KEY:
        return set()
    raw = key.encode("utf-8", "surrogatepass")
    whole = base64.b64encode(raw).decode().rstrip("=")
    encoded = {key, quote(raw, safe=""), json.dumps(key)[1:-1], repr(key)[1:-1], repr(raw)[2:-1], whole}
    if len(key) >= LONG_KEY:
        encoded.update(_embedded_base64(raw))
    return encoded | {spelling.translate(_URL_SAFE) for spelling in encoded}


def _embedded_base64(raw: bytes) -> Iterator[str]:
    """Yield what of `raw` shows in the base64 of a text that has it anywhere, as in "Basic <user:key>"."""
    for before, mixed in ((1, 2), (2, 3)):
        text = base64.b64encode(b"\0" * before + raw).decode()
        yield text[mixed : len(text) - 4]


def _without_fragments(text: str, spellings: list[str]) -> str:
    """Mask runs of `FRAGMENT` and more characters of long spellings: an excerpt may have cut a key."""
    windows = {s[i : i + FRAGMENT] for s in spellings if len(s) >= LONG_KEY for i in range(len(s) - FRAGMENT + 1)}
    windows = {window for window in windows if not (window.isalpha() and window.islower())}  # may be a word
    kept: list[str] = []
    end = 0
    for i in range(len(text) - FRAGMENT + 1):
        if text[i : i + FRAGMENT] in windows:
            if i > end or not kept:
                kept += text[end:i], MASK
            end = i + FRAGMENT
    return "".join(kept) + text[end:]
