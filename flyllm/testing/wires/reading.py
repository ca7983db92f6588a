"""Reading requests of any provider's shape: their texts, and the first parameter that breaks a rule.

What is broken is put into words by each wire, in its provider's manner.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flyllm.testing.wires.base import Json

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
}
_PYDANTIC = {"array": "list", "object": "dictionary"}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a parameter must be: a JSON type ("a|b" allows either) and a number's bounds, both included."""

    kind: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A parameter that breaks its rule."""

    name: str
    value: Any
    rule: Rule
    reason: Literal["type", "low", "high"]


def first_fault(body: Json, rules: Mapping[str, Rule]) -> Fault | None:
    """Return the first broken rule in the order of `rules`; a parameter that is absent or null breaks none."""
    for name, rule in rules.items():
        value = body.get(name)
        reason = None if value is None else _broken(value, rule)
        if reason is not None:
            return Fault(name, value, rule, reason)
    return None


def _broken(value: Any, rule: Rule) -> Literal["type", "low", "high"] | None:
    if not any(is_a(value, kind) for kind in rule.kind.split("|")):
        return "type"
    if rule.low is not None and value < rule.low:
        return "low"
    return "high" if rule.high is not None and value > rule.high else None


def is_a(value: Any, kind: str) -> bool:
    """Tell whether `value` is of the JSON type `kind`; true and false are no numbers."""
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def type_of(value: Any) -> str:
    """Return the name of the JSON type of `value`."""
    return next((kind for kind in _TYPES if is_a(value, kind)), "null")


def pydantic_message(fault: Fault) -> str:
    """Return the message of pydantic, which more than one provider validates with."""
    if fault.reason == "type":
        kind = fault.rule.kind.split("|")[0]
        return f"Input should be a valid {_PYDANTIC.get(kind, kind)}"
    side, bound = ("greater", fault.rule.low) if fault.reason == "low" else ("less", fault.rule.high)
    return f"Input should be {side} than or equal to {bound:g}"


def text_of(*content: Any) -> str:
    """Return all text in messages of any provider's shape, one line per piece."""
    return "\n".join(_texts(content))


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list | tuple):
        for item in content:
            yield from _texts(item)
    elif isinstance(content, dict):
        yield from _texts([content.get(name) for name in ("text", "content", "parts")])


def token_count(texts: Iterable[str]) -> int:
    """Return the simulated size of texts to embed: a token per four characters begun."""
    return sum(-(-len(text) // 4) for text in texts)
