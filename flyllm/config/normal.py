"""The one form that values have behind the validation: lower-case words, stripped keys, real tuples, own copies."""

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from flyllm._secret import Secret
from flyllm.config.environment import plain
from flyllm.config.model import LOG_LEVELS, InstanceConfig, LogLevel, ManagerConfig
from flyllm.config.sendable import sendable
from flyllm.tasks import TaskDefinition


def normal(config: ManagerConfig) -> ManagerConfig:
    """Return the valid `config` in its final form. An empty optional text and an infinite limit become None."""
    strategy = config.strategy
    return replace(
        config,
        instances=tuple(_instance(instance) for instance in config.instances),
        tasks=tuple(_task(task) for task in config.tasks),
        strategy=strategy.strip().lower() if isinstance(strategy, str) else strategy,
        timeout=None if config.timeout in (None, math.inf) else _seconds(config.timeout),
        attempt_timeout=float(config.attempt_timeout),
        first_content_timeout=_unlimited(config.first_content_timeout),
        idle_timeout=_unlimited(config.idle_timeout),
        max_stall=_unlimited(config.max_stall),
        retry_ratio=float(config.retry_ratio),
        unsupported_params="error" if config.unsupported_params == "error" else "warn",
        debug_folder=_text(config.debug_folder),
        log_level=_log_level(config.log_level),
    )


def _log_level(level: str | None) -> LogLevel | None:
    return next((word for word in LOG_LEVELS if level is not None and word == level.strip().lower()), None)


def _task(task: TaskDefinition) -> TaskDefinition:
    per_provider: dict[str, dict[str, Any]] = {}
    for provider, params in task.provider_params.items():
        per_provider.setdefault(provider.strip().lower(), {}).update(_params(params))
    return TaskDefinition(plain(task.name), _params(task.params), _seconds(task.timeout), per_provider)


def _instance(instance: InstanceConfig) -> InstanceConfig:
    return replace(
        instance,
        provider=instance.provider.strip().lower(),
        model=instance.model.strip(),
        api_key=Secret(instance.api_key.reveal().strip(), instance.api_key.origin),
        tasks=tuple(dict.fromkeys(plain(task) for task in instance.tasks)),
        name=_text(instance.name),
        endpoint=_text(instance.endpoint),
        api=_text(instance.api),
        params=MappingProxyType(_params(instance.params)),
        headers=MappingProxyType({name: value.strip() for name, value in instance.headers.items()}),
        timeout=_seconds(instance.timeout),
        weight=float(instance.weight),
        cannot=tuple(dict.fromkeys(plain(word).strip().lower() for word in instance.cannot)),
    )


def _text(text: str | None) -> str | None:
    return (text or "").strip() or None


def _seconds(seconds: float | None) -> float | None:
    return None if seconds is None else float(seconds)


def _unlimited(seconds: float | None) -> float:
    return math.inf if seconds is None else float(seconds)


def _params(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: sendable(value) for name, value in params.items()}
