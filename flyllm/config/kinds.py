"""What each key may hold, as data: one row per field of the models.

A kind covers the type and the range of one value. What several values must have in common is in `rules`.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import TIMEOUT_MAX
from typing import Any, TypeGuard, get_args

from flyllm._secret import Secret
from flyllm.config.model import UnsupportedParams


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of value: `noun` is its name in messages, `accepts` decides; a `secret` one is never shown."""

    noun: str
    accepts: Callable[[Any], bool]
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


def _is_choice(value: object) -> bool:
    return isinstance(value, str) and value in get_args(UnsupportedParams)


def _is_strategy(value: object) -> bool:
    return isinstance(value, str) or (not isinstance(value, type) and callable(getattr(value, "select", None)))


TEXT = Kind("a string", _is_text)
FILLED = Kind("a non-empty string", _is_filled)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
NAMES = Kind("a list of task names", _is_names)
TABLE = Kind("a table with string keys", _is_table)
HEADERS = Kind("a table of strings", _is_table, secret=True)
KEY = Kind("a string", lambda value: isinstance(value, Secret), secret=True)
SECONDS = Kind("a number of seconds above 0", _is_seconds)
LIMIT = Kind("a number of seconds above 0, or inf (None in Python) for no limit", _is_limit)
COUNT = Kind("a whole number of at least 1", lambda value: _is_whole(value, 1))
COUNT_OR_ZERO = Kind("a whole number of at least 0", lambda value: _is_whole(value, 0))
# The upper ends are far beyond any use; they keep sums and quotients of such numbers finite.
AMOUNT = Kind("a whole number from 1 to 1000000000000", lambda value: _is_whole(value, 1) and value <= 10**12)
WEIGHT = Kind("a number above 0, at most 1000000", lambda value: _is_number(value) and 0 < value <= 10**6)
PRIORITY = Kind("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool))
PRICE = Kind("a number of at least 0", lambda value: _is_number(value) and 0 <= value <= 10**9)
RATIO = Kind("a number from 0 to 100", lambda value: _is_number(value) and 0 <= value <= 100)
STRATEGY = Kind("a strategy's name or an object with a select method", _is_strategy)
CHOICE = Kind(" or ".join(f'"{word}"' for word in get_args(UnsupportedParams)), _is_choice)

INSTANCE_KINDS = {
    "provider": FILLED,
    "model": FILLED,
    "api_key": KEY,
    "tasks": NAMES,
    "name": TEXT,
    "endpoint": TEXT,
    "api": TEXT,
    "enabled": FLAG,
    "params": TABLE,
    "headers": HEADERS,
    "timeout": SECONDS,
    "max_concurrency": COUNT,
    "rpm": AMOUNT,
    "tpm": AMOUNT,
    "weight": WEIGHT,
    "priority": PRIORITY,
    "context_window": AMOUNT,
    "input_cost": PRICE,
    "output_cost": PRICE,
}
FILE_KEYS = {"provider": "type"}
"""Fields of an instance whose key in a file is another word."""

TASK_KINDS = {"name": FILLED, "params": TABLE, "timeout": SECONDS}
SETTING_KINDS = {
    "strategy": STRATEGY,
    "max_retries": COUNT_OR_ZERO,
    "timeout": LIMIT,
    "attempt_timeout": SECONDS,
    "first_content_timeout": LIMIT,
    "idle_timeout": LIMIT,
    "max_stall": LIMIT,
    "retry_ratio": RATIO,
    "max_workers": COUNT,
    "unsupported_params": CHOICE,
    "debug_folder": TEXT,
}


def sendable(value: Any) -> Any:
    """Return a deep copy of `value` as JSON carries it; TypeError, ValueError or RecursionError if it cannot."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    text.encode()  # lone surrogates have no encoding
    return json.loads(text)
