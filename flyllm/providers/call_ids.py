"""Ids of tool calls: invented where a server gives none, and changed to what a provider takes of another's."""

import re
from hashlib import sha256
from uuid import uuid4

CHAT_LONGEST = 40
"""Characters of an id that OpenAI's chat completions take at most ("string_above_max_length" otherwise)."""
RESPONSES_LONGEST = 64

_MISTRAL = re.compile(r"[a-zA-Z0-9]{9}")


def invented_id() -> str:
    """Return an id for a call that has none, one of its own in any conversation."""
    return f"call_{uuid4().hex[:24]}"


def at_most(given: str, longest: int) -> str:
    """Return `given`, or where it is longer its digest, the same each time."""
    return given if len(given) <= longest else f"call_{_digest(given)[:24]}"


def nine_characters(given: str) -> str:
    """Return `given` as Mistral takes it, which wants exactly nine letters and digits: another's becomes its digest."""
    return given if _MISTRAL.fullmatch(given) else _digest(given)[:9]


def _digest(given: str) -> str:
    return sha256(given.encode(errors="surrogatepass")).hexdigest()
