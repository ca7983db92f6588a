"""What a reply's headers say is left of the provider's rate limits: one form for the names of all providers.

Sources: platform.openai.com/docs/guides/rate-limits, console.groq.com/docs/rate-limits (its requests are per day),
docs.claude.com/en/api/rate-limits, docs.together.ai/docs/rate-limits, github.com/mistralai/client-ts/issues/169 and
docs.cohere.com/docs/rate-limits with its trial keys' headers (2026-11).
"""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from flyllm.providers.times import number, until


class Unit(Enum):
    """What a limit counts. One on a `PART` of the tokens, prompts or answers, cannot be compared with whole charges."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    PART = "part of the tokens"


class Allowance(NamedTuple):
    """What is left of one limit.

    Attributes:
        name: of the header that says so.
        limit: units per period, None where it is not told.
        reset: seconds until nothing of it is used any more, None where that is not told.
    """

    name: str
    unit: Unit
    remaining: float
    limit: float | None
    reset: float | None


def _openai(unit: str) -> tuple[str, str, str]:
    return f"x-ratelimit-remaining-{unit}", f"x-ratelimit-limit-{unit}", f"x-ratelimit-reset-{unit}"


def _anthropic(unit: str) -> tuple[str, str, str]:
    name = f"anthropic-ratelimit-{unit}"
    return f"{name}-remaining", f"{name}-limit", f"{name}-reset"


_ROWS: dict[str, tuple[Unit, str, str]] = {
    remaining: (unit, limit, reset)
    for unit, (remaining, limit, reset) in (
        (Unit.REQUESTS, _openai("requests")),  # also Groq, LM Studio and most compatible servers
        (Unit.TOKENS, _openai("tokens")),
        (Unit.REQUESTS, _anthropic("requests")),
        (Unit.TOKENS, _anthropic("tokens")),
        (Unit.PART, _anthropic("input-tokens")),
        (Unit.PART, _anthropic("output-tokens")),
        (Unit.REQUESTS, _openai("req-minute")),  # Mistral, without resets
        (Unit.TOKENS, _openai("tokens-minute")),
        (Unit.REQUESTS, ("x-ratelimit-remaining", "x-ratelimit-limit", "x-ratelimit-reset")),  # Together, OpenRouter
        (Unit.TOKENS, ("x-tokenlimit-remaining", "x-tokenlimit-limit", "x-tokenlimit-reset")),
        (Unit.REQUESTS, ("x-trial-endpoint-call-remaining", "x-trial-endpoint-call-limit", "")),  # Cohere
    )
}


def allowances(headers: Mapping[str, str]) -> list[Allowance]:
    """Return what `headers` (lower-case names) say is left of each limit they name, in a usable way."""
    told = _ROWS.keys() & headers.keys()
    if not told:
        return []
    texts = dict(headers.items())  # one pass: a lookup in httpx's headers goes through them all
    found = []
    for name in told:
        unit, limit, reset = _ROWS[name]
        remaining = number(texts[name])
        if remaining is not None:  # Azure says -1 where it does not count
            reset_in = until(texts.get(reset), texts.get("date"))
            found.append(Allowance(name, unit, remaining, number(texts.get(limit)), reset_in))
    return found


def exhausted_for(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until the last of the used-up limits is reset, None where none is used up."""
    return max((a.reset for a in allowances(headers) if a.remaining < 1 and a.reset is not None), default=None)
