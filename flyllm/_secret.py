"""Keys that cannot be printed, and the removal of keys from texts that others wrote."""

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import quote

MASK = "***"
# Providers echo keys, also partly masked ("Incorrect API key provided: sk-ab***yz").
_KEY_SHAPES = re.compile(
    r"(?i)(?:bearer\s+[\w.~+/*-]{8,}=*|\b(?:sk|gsk|pplx|xai|key|tgp|AIza)[-_][\w*.-]{6,}|\bAIza[\w-]{20,})"
)


class Secret:
    """A key: masked in repr, str, format and pickle, and compared by value.

    `reveal()` returns the text; it is called where the key is handed to an SDK and nowhere else.
    """

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
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

    def __reduce__(self) -> tuple[type["Secret"], tuple[str]]:
        raise TypeError("a Secret cannot be pickled: pass the key to the other process by its own channel")


def redact(text: str, *secrets: Secret) -> str:
    """Return `text` without the given keys in any spelling, nor anything that looks like a key."""
    for secret in secrets:
        for spelling in _spellings(secret.reveal()):
            text = text.replace(spelling, MASK)
    return _KEY_SHAPES.sub(MASK, text)


def _spellings(key: str) -> tuple[str, ...]:
    if len(key) < 4:  # too short to be a key; replacing it would garble ordinary words
        return ()
    raw = key.encode("utf-8", "surrogatepass")
    encoded = (
        key,
        quote(key, safe=""),
        json.dumps(key)[1:-1],
        base64.b64encode(raw).decode().rstrip("="),
        repr(raw)[2:-1],
    )
    return tuple(sorted(set(encoded), key=len, reverse=True))
