"""The `[settings]` of a starter file: every key with its default, commented out."""

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from flyllm._routing.strategies import STRATEGY_NAMES
from flyllm.config.kinds import SETTING_KINDS
from flyllm.config.model import ManagerConfig
from flyllm.config.schema import descriptions

EXAMPLES: dict[str, Any] = {
    "max_workers": 32,
    "debug_folder": "debug",
    "budget_cost": 10.0,
    "budget_tokens": 10_000_000,
    "log_level": "info",
}
"""Values of settings that have no default."""


def setting_lines() -> Iterator[str]:
    """Yield the lines below `[settings]`."""
    meanings = descriptions(ManagerConfig) | {"strategy": " ".join(STRATEGY_NAMES)}
    for field in fields(ManagerConfig):
        value = EXAMPLES.get(field.name, field.default)
        if field.name in SETTING_KINDS and isinstance(value, str | int | float | bool):
            line = f"# {field.name} = {json.dumps(value)}"
            meaning = meanings.get(field.name)
            yield f"{line:<31} # {meaning}" if meaning else line
