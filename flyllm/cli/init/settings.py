"""The `[settings]` of a starter file: every key with its default, commented out."""

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from flyllm._routing.strategies import STRATEGY_NAMES
from flyllm.config.kinds import SETTING_KINDS
from flyllm.config.model import ManagerConfig

_MEANINGS = {
    "strategy": " ".join(STRATEGY_NAMES),
    "max_retries": "further attempts after the first, per request",
    "timeout": "seconds for a request, waiting and retries included; inf for no limit",
    "attempt_timeout": "seconds for one attempt",
    "first_content_timeout": "seconds until a stream's first content",
    "idle_timeout": "seconds between two events of a stream",
    "max_stall": "seconds that requests wait while no instance answers any",
    "retry_ratio": "retries that each success pays for; 0.2 for callers that retry themselves",
    "max_workers": "threads of a batch; else what the instances can bear",
    "unsupported_params": '"error" refuses what a provider cannot take, "warn" leaves it out',
    "log_level": "debug, info, warning or error on stderr; else logging is the application's",
    "debug_folder": "a file for each request and its answer; else none are written",
}
EXAMPLES: dict[str, Any] = {"max_workers": 32, "debug_folder": "debug", "log_level": "info"}
"""Values of settings that have no default."""


def setting_lines() -> Iterator[str]:
    """Yield the lines below `[settings]`."""
    for field in fields(ManagerConfig):
        value = EXAMPLES.get(field.name, field.default)
        if field.name in SETTING_KINDS and isinstance(value, str | int | float):
            line = f"# {field.name} = {json.dumps(value)}"
            meaning = _MEANINGS.get(field.name)
            yield f"{line:<31} # {meaning}" if meaning else line
