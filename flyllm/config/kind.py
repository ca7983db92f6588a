"""Sorts of values: what a message calls them, what is one, and how an editor is told.

A kind covers the type and the range of one value. What several values must have in common is in `rules`.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import TIMEOUT_MAX
from typing import Any, TypeGuard, get_args

from flyllm._routing.strategies import STRATEGY_NAMES
from flyllm._secret import Secret
from flyllm.config.model import LOG_LEVELS, UnsupportedParams
from flyllm.providers.capabilities import LOSSES
from flyllm.providers.registry import REGISTRY

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of value: `noun` is its name in messages, `accepts` decides; a `secret` one is never shown.

    `schema` says the same to an editor, as far as JSON Schema can.
    """

    noun: str
    accepts: Callable[[Any], bool]
    schema: Schema
    secret: bool = False


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_filled(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_names(value: object) -> bool:
    return isinstance(value, list | tuple) and all(_is_filled(item) for item in value)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_seconds(value: object) -> bool:
    # Waits are carried out by locks, which take no more than TIMEOUT_MAX. NaN fails both comparisons.
    return _is_number(value) and 0 < value <= TIMEOUT_MAX


def _is_limit(value: object) -> bool:
    return value is None or _is_seconds(value) or (isinstance(value, float) and value == math.inf)


def _is_level(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() in LOG_LEVELS


def _is_strategy(value: object) -> bool:
    return isinstance(value, str) or (not isinstance(value, type) and callable(getattr(value, "select", None)))


def _is_metrics(value: object) -> bool:
    registry = not isinstance(value, type) and all(callable(getattr(value, name, None)) for name in _REGISTRY)
    return isinstance(value, bool) or registry


def _words(words: Iterable[str], *, any_case: bool = False) -> Schema:
    """Return a schema of some words, which an editor offers, or of a text that takes one from a variable."""
    known = {"enum": list(words)}
    forms = [known, {"type": "string", "pattern": r"\$\{"}]
    if any_case:
        letters = ("".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in word) for word in words)
        forms.append({"type": "string", "pattern": rf"^\s*({'|'.join(letters)})\s*$"})
    return {"anyOf": forms}


def _quoted(words: Iterable[str]) -> str:
    *most, last = (f'"{word}"' for word in words)
    return f"{', '.join(most)} or {last}"


_REGISTRY = ("register", "unregister", "collect")
"""What a Prometheus registry can do."""

_TEXT: Schema = {"type": "string"}
_FILLED: Schema = {"type": "string", "pattern": r"\S"}
_TABLE: Schema = {"type": "object"}
_PROVIDER = _words(REGISTRY, any_case=True)
_REACTIONS = get_args(UnsupportedParams)

TEXT = Kind("a string", _is_text, _TEXT)
FILLED = Kind("a non-empty string", _is_filled, _FILLED)
PROVIDER = Kind("a non-empty string", _is_filled, _PROVIDER)
FLAG = Kind("true or false", lambda value: isinstance(value, bool), {"type": "boolean"})
METRICS = Kind("true or false (in Python also a prometheus_client CollectorRegistry)", _is_metrics, {"type": "boolean"})
NAMES = Kind("a list of task names", _is_names, {"type": "array", "items": _FILLED})
LACKS = Kind(
    f"a list of words among {', '.join(LOSSES)}", _is_names, {"type": "array", "items": _words(LOSSES, any_case=True)}
)
TABLE = Kind("a table with string keys", _is_table, _TABLE)
TABLES = Kind(
    "a table of tables, one for each provider",
    _is_table,
    {"type": "object", "propertyNames": _PROVIDER, "additionalProperties": _TABLE},
)
HEADERS = Kind("a table of strings", _is_table, {"type": "object", "additionalProperties": _TEXT}, secret=True)
KEY = Kind("a string", lambda value: isinstance(value, Secret), _TEXT, secret=True)
SECONDS = Kind(
    "a number of seconds above 0", _is_seconds, {"type": "number", "exclusiveMinimum": 0, "maximum": TIMEOUT_MAX}
)
LIMIT = Kind(
    "a number of seconds above 0, or inf (None in Python) for no limit",
    _is_limit,
    {"type": "number", "exclusiveMinimum": 0},
)
COUNT_OR_ZERO = Kind(
    "a whole number of at least 0", lambda value: _is_whole(value, 0), {"type": "integer", "minimum": 0}
)
# The upper ends are far beyond any use; they keep sums and quotients of such numbers finite.
AMOUNT = Kind(
    "a whole number from 1 to 1000000000000",
    lambda value: _is_whole(value, 1) and value <= 10**12,
    {"type": "integer", "minimum": 1, "maximum": 10**12},
)
WEIGHT = Kind(
    "a number above 0, at most 1000000",
    lambda value: _is_number(value) and 0 < value <= 10**6,
    {"type": "number", "exclusiveMinimum": 0, "maximum": 10**6},
)
PRIORITY = Kind(
    "a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool), {"type": "integer"}
)
PRICE = Kind(
    "a number of at least 0",
    lambda value: _is_number(value) and 0 <= value <= 10**9,
    {"type": "number", "minimum": 0, "maximum": 10**9},
)
RATIO = Kind(
    "a number from 0 to 100",
    lambda value: _is_number(value) and 0 <= value <= 100,
    {"type": "number", "minimum": 0, "maximum": 100},
)
STRATEGY = Kind(
    "a strategy's name or an object with a select method", _is_strategy, _words(STRATEGY_NAMES, any_case=True)
)
REACTION = Kind(_quoted(_REACTIONS), lambda value: isinstance(value, str) and value in _REACTIONS, _words(_REACTIONS))
LEVEL = Kind(_quoted(LOG_LEVELS), _is_level, _words(LOG_LEVELS, any_case=True))
