"""What each key may hold, as data: one row per field of the models."""

from flyllm.config.kind import (
    AMOUNT,
    COUNT_OR_ZERO,
    FILLED,
    FLAG,
    HEADERS,
    KEY,
    LACKS,
    LEVEL,
    LIMIT,
    METRICS,
    NAMES,
    PRICE,
    PRIORITY,
    PROVIDER,
    RATIO,
    REACTION,
    SECONDS,
    STRATEGY,
    TABLE,
    TABLES,
    TEXT,
    WEIGHT,
)

INSTANCE_KINDS = {
    "provider": PROVIDER,
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
    "max_concurrency": AMOUNT,
    "rpm": AMOUNT,
    "tpm": AMOUNT,
    "weight": WEIGHT,
    "priority": PRIORITY,
    "context_window": AMOUNT,
    "cannot": LACKS,
    "input_cost": PRICE,
    "output_cost": PRICE,
    "cached_input_cost": PRICE,
}
FILE_KEYS = {"provider": "type"}
"""Fields of an instance whose key in a file is another word."""

KEY_FILE_KINDS = {"api_key_file": TEXT}
"""What an instance may have in a file only."""

TASK_KINDS = {"name": FILLED, "params": TABLE, "timeout": SECONDS, "provider_params": TABLES}
SETTING_KINDS = {
    "strategy": STRATEGY,
    "max_retries": COUNT_OR_ZERO,
    "timeout": LIMIT,
    "attempt_timeout": SECONDS,
    "first_content_timeout": LIMIT,
    "idle_timeout": LIMIT,
    "max_stall": LIMIT,
    "retry_ratio": RATIO,
    "max_workers": AMOUNT,
    "unsupported_params": REACTION,
    "debug_folder": TEXT,
    "debug_prompts": FLAG,
    "metrics": METRICS,
    "opentelemetry": FLAG,
    "budget_cost": PRICE,
    "budget_tokens": AMOUNT,
    "log_level": LEVEL,
}
