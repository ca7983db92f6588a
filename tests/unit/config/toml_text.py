"""TOML text of a document, since the standard library only reads it; and documents that are valid, or nearly."""

import json
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from hypothesis import strategies as st

from flyllm._routing.strategies import STRATEGY_NAMES
from flyllm.config.kinds import INSTANCE_KINDS, SETTING_KINDS, TASK_KINDS
from flyllm.config.model import LOG_LEVELS
from flyllm.providers.capabilities import LOSSES
from flyllm.providers.registry import REGISTRY


def toml_of(document: Mapping[str, Any]) -> str:
    """Return TOML text of `document`, with a section for each table and list of tables at its top."""
    plain = [f"{_text(key)} = {value_of(value)}" for key, value in document.items() if not _sections(value)]
    return "\n".join([*plain, *(part for key, value in document.items() for part in _rendered(key, value))]) + "\n"


def value_of(value: Any) -> str:
    """Return `value` on one line; what TOML has no word for is left out."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(value_of(item) for item in value if item is not None)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(_pairs(value))}}}"
    return value.isoformat() if isinstance(value, date | datetime | time) else repr(value)


def _pairs(table: Mapping[str, Any]) -> list[str]:
    return [f"{_text(key)} = {value_of(value)}" for key, value in table.items() if value is not None]


def _sections(value: Any) -> list[Mapping[str, Any]]:
    tables = value if isinstance(value, list) else [value]
    return tables if all(isinstance(table, Mapping) for table in tables) else []


def _rendered(key: str, value: Any) -> list[str]:
    head = f"[[{_text(key)}]]" if isinstance(value, list) else f"[{_text(key)}]"
    return ["\n".join([head, *_pairs(table)]) for table in _sections(value)]


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


KEYS = st.sampled_from([*INSTANCE_KINDS, *SETTING_KINDS, "settings", "tasks", "providers", "type", "api_key_file"])
WORDS = st.sampled_from(["openai", "ollama", "chat", "${X}", "${NO}", "$${", "http://h/v1", "http://[", "lru", "", " "])
SCALARS = st.one_of(
    WORDS,
    st.text(max_size=8),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.booleans(),
    st.sampled_from([date(2026, 1, 1), datetime(2026, 1, 1), time(1)]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=5),
    max_leaves=12,
)
NEAR = st.fixed_dictionaries(
    {"providers": st.lists(st.dictionaries(KEYS, ANYTHING, max_size=6), max_size=3) | ANYTHING},
    optional={
        "settings": st.dictionaries(KEYS, ANYTHING, max_size=5) | ANYTHING,
        "tasks": st.lists(st.dictionaries(KEYS | st.just("provider_params"), ANYTHING, max_size=4)) | ANYTHING,
    },
)
"""Documents that hold the words of a configuration, mostly in wrong places."""

_SECONDS = st.integers(1, 10**6) | st.floats(0.001, 1e6)
_LIMIT = _SECONDS | st.just(float("inf"))
_COUNT = st.integers(1, 10**6)
_NAME = st.text("abcdefgh ", min_size=1, max_size=9).filter(str.strip)
_PROVIDER = st.sampled_from([*REGISTRY, "OpenAI", "OLLAMA", "${GROQ}"])
_JSON = st.recursive(
    st.text(max_size=5) | st.integers() | st.booleans() | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
_PARAMS = st.dictionaries(st.sampled_from(["top_k", "num_ctx", "a b"]), _JSON.filter(lambda v: "${" not in f"{v}"))

VALID_SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "strategy": st.sampled_from([*STRATEGY_NAMES, "LRU"]),
    "max_retries": st.integers(0, 10**6),
    "timeout": _LIMIT,
    "attempt_timeout": _SECONDS,
    "first_content_timeout": _LIMIT,
    "idle_timeout": _LIMIT,
    "max_stall": _LIMIT,
    "retry_ratio": st.integers(0, 100) | st.floats(0, 100),
    "max_workers": _COUNT,
    "unsupported_params": st.sampled_from(["warn", "error"]),
    "debug_folder": st.sampled_from(["", "./debug", "${X}"]),
    "debug_prompts": st.booleans(),
    "metrics": st.booleans(),
    "opentelemetry": st.booleans(),
    "budget_cost": st.floats(0, 1e9),
    "budget_tokens": _COUNT,
    "log_level": st.sampled_from([*LOG_LEVELS, "DEBUG"]),
}
VALID_TASK: dict[str, st.SearchStrategy[Any]] = {
    "name": _NAME,
    "timeout": _SECONDS,
    "provider_params": st.dictionaries(st.sampled_from([*REGISTRY, "OpenAI"]), _PARAMS, max_size=2),
}
VALID_PROVIDER: dict[str, st.SearchStrategy[Any]] = {
    "type": _PROVIDER,
    "model": st.sampled_from(["m", "gpt-4", "${X}"]),
    "api_key": st.sampled_from(["k", "${X}"]),
    "name": _NAME,
    "endpoint": st.sampled_from(["", "http://h", "http://h:1/v1", "${HOST}"]),
    "api": st.just(""),
    "enabled": st.booleans(),
    "params": _PARAMS,
    "headers": st.dictionaries(st.sampled_from(["X-A", "X-B"]), st.sampled_from(["a", "${X}"])),
    "timeout": _SECONDS,
    "max_concurrency": _COUNT,
    "rpm": _COUNT,
    "tpm": _COUNT,
    "weight": st.integers(1, 100) | st.floats(0.001, 1e6),
    "priority": st.integers(),
    "context_window": _COUNT,
    "cannot": st.lists(st.sampled_from([*LOSSES, "Images "]), max_size=2),
    "input_cost": st.floats(0, 1e9),
    "output_cost": st.integers(0, 10**9),
    "cached_input_cost": st.floats(0, 1e9),
}
ENVIRON = {"X": "canary-2f61c0-value", "GROQ": "groq", "HOST": "http://h/v1"}


@st.composite
def valid_documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a document without a fault, given `ENVIRON`."""
    names = draw(st.lists(_NAME, max_size=3, unique=True))
    tasks = [{**_some(draw, VALID_TASK, "timeout", "provider_params"), **draw(_PARAMS), "name": name} for name in names]
    optional = [key for key in VALID_PROVIDER if key not in ("type", "model", "api_key", "name")]
    providers = [
        {key: draw(VALID_PROVIDER[key]) for key in ("type", "model", "api_key")}
        | _priced(_some(draw, VALID_PROVIDER, *optional))
        | {"name": f"instance {number}", "tasks": names}
        for number in range(draw(st.integers(1, 3)))
    ]
    settings = _some(draw, VALID_SETTINGS, *VALID_SETTINGS)
    return {"settings": settings, "tasks": tasks, "providers": providers}


def _priced(provider: dict[str, Any]) -> dict[str, Any]:
    """Return `provider` with a whole price if it has a part of one."""
    parts = {"input_cost", "output_cost", "cached_input_cost"} & set(provider)
    return {"input_cost": 1, "output_cost": 2} | provider if parts else provider


def _some(draw: st.DrawFn, values: Mapping[str, st.SearchStrategy[Any]], *keys: str) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(keys), unique=True))
    return {key: draw(values[key]) for key in chosen}


assert set(VALID_SETTINGS) == set(SETTING_KINDS)
assert set(VALID_TASK) == set(TASK_KINDS) - {"params"}
