"""Pieces that every OpenAI-shaped wire is made of: ids, times, texts of messages, tools, the bearer key."""

import json
from collections.abc import Iterable, Mapping
from random import Random
from string import ascii_letters, ascii_lowercase, digits
from typing import Any

from flyllm.testing.wires.base import Limits, SimulatedToolCall

CREATED = 1_790_000_000
"""When every simulated answer was created (seconds since the epoch): fixed, so that a seed fixes every byte."""

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def alphanumeric(rng: Random, length: int) -> str:
    """Return a base-62 id, as OpenAI's `chatcmpl-` and `call_` carry."""
    return "".join(rng.choices(ascii_letters + digits, k=length))


def lowercase(rng: Random, length: int) -> str:
    """Return an id of digits and lower-case letters."""
    return "".join(rng.choices(ascii_lowercase + digits, k=length))


def hexadecimal(rng: Random, length: int) -> str:
    """Return `length` hexadecimal digits."""
    return f"{rng.getrandbits(4 * length):0{length}x}"


def obfuscation(rng: Random) -> str:
    """Return the padding that OpenAI adds to stream events to hide the length of tokens."""
    return alphanumeric(rng, rng.randint(1, 16))


def uuid(rng: Random) -> str:
    """Return a version 4 UUID."""
    h = hexadecimal(rng, 32)
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


def ulid(rng: Random) -> str:
    """Return a ULID in lower case, as Groq's `req_` ids carry; its time part is that of `CREATED`."""
    return "01kx" + "".join(rng.choices(_CROCKFORD, k=22))


def bearer(headers: Mapping[str, str]) -> str | None:
    """Return the key of an `Authorization: Bearer` header, None where there is none."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def route(path: str) -> str:
    """Return `path` without its query string and without a trailing slash."""
    return path.partition("?")[0].rstrip("/")


def text_of(content: Any) -> str:
    """Return the text in a message's content: a string, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(p["text"] for p in content if isinstance(p, dict) and isinstance(p.get("text"), str))
    return ""


def prompt_of(messages: Iterable[Any]) -> str:
    """Return the texts of all messages, joined by line ends."""
    return "\n".join(text for m in messages if isinstance(m, dict) and (text := text_of(m.get("content"))))


def arguments(call: SimulatedToolCall) -> str:
    """Return a tool call's arguments as the JSON text models write."""
    return json.dumps(call.arguments, separators=(",", ":"), ensure_ascii=False)


def duration(seconds: float) -> str:
    """Return a length of time as OpenAI and Groq write it in headers: "120ms", "7.66s", "6m0s"."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m{rest:.3g}s" if minutes else f"{rest:.4g}s"


def rate_limit_headers(limits: Limits) -> dict[str, str]:
    """Return the `x-ratelimit-*` headers that OpenAI and Groq document, for the dimensions that are limited."""
    headers: dict[str, str] = {}
    for unit, limit, remaining, reset in (
        ("requests", limits.requests, limits.remaining_requests, limits.reset_requests),
        ("tokens", limits.tokens, limits.remaining_tokens, limits.reset_tokens),
    ):
        if limit is not None:
            headers[f"x-ratelimit-limit-{unit}"] = str(limit)
            headers[f"x-ratelimit-remaining-{unit}"] = str(remaining or 0)
            headers[f"x-ratelimit-reset-{unit}"] = duration(reset or 0.0)
    return headers
