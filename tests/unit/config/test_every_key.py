"""Builder, file and dict: every key of the models can be given in each, and means the same."""

from collections.abc import Callable
from typing import Any

import pytest

from flyllm.builder import ManagerBuilder
from flyllm.config.kinds import FILE_KEYS, INSTANCE_KINDS, SETTING_KINDS, TASK_KINDS
from flyllm.config.model import ManagerConfig
from flyllm.config.toml_file import config_from_dict, config_from_toml
from flyllm.errors import ConfigError
from flyllm.tasks import TaskDefinition
from tests.unit.config.toml_text import toml_of

Builder = ManagerBuilder[ManagerConfig]

SETTINGS: dict[str, tuple[Any, Callable[[Builder], object]]] = {
    "strategy": ("Round_Robin", lambda b: b.strategy("Round_Robin")),
    "max_retries": (2, lambda b: b.max_retries(2)),
    "timeout": (10, lambda b: b.timeout(10)),
    "attempt_timeout": (9, lambda b: b.default_attempt_timeout(9)),
    "first_content_timeout": (8, lambda b: b.first_content_timeout(8)),
    "idle_timeout": (float("inf"), lambda b: b.idle_timeout(None)),
    "max_stall": (7, lambda b: b.max_stall(7)),
    "retry_ratio": (2, lambda b: b.retry_ratio(2)),
    "max_workers": (6, lambda b: b.max_workers(6)),
    "unsupported_params": ("error", lambda b: b.unsupported_params("error")),
    "debug_folder": ("./debug", lambda b: b.debug_folder("./debug")),
    "debug_prompts": (False, lambda b: b.debug_prompts(False)),
    "metrics": (True, lambda b: b.metrics()),
    "opentelemetry": (True, lambda b: b.opentelemetry()),
    "budget_cost": (2.5, lambda b: b.budget(cost=2.5)),
    "budget_tokens": (1000, lambda b: b.budget(tokens=1000)),
    "log_level": ("Info", lambda b: b.log_level("info")),
}
TASK: dict[str, tuple[dict[str, Any], TaskDefinition]] = {
    "name": ({"name": "t"}, TaskDefinition("t")),
    "params": (
        {"name": "t", "max_tokens": 5, "seed": 1},
        TaskDefinition("t").with_max_tokens(5).with_param("seed", 1),
    ),
    "timeout": ({"name": "t", "timeout": 5}, TaskDefinition("t").with_timeout(5)),
    "provider_params": (
        {"name": "t", "provider_params": {"OpenAI": {"user": "u"}}},
        TaskDefinition("t").with_provider_params("openai", user="u"),
    ),
}
# The builder's way, and the option of add_instance of the same name as the field.
INSTANCE: dict[str, tuple[Any, Callable[[Builder], object]]] = {
    "name": ("a name", lambda b: b.name("a name")),
    "endpoint": ("http://h/v1", lambda b: b.custom_endpoint("http://h/v1")),
    "api": ("responses", lambda b: b.api("responses")),
    "enabled": (False, lambda b: b.enabled(False)),
    "params": ({"seed": 1}, lambda b: b.params(seed=1)),
    "headers": ({"X-A": "a"}, lambda b: b.header("X-A", "a")),
    "timeout": (5, lambda b: b.attempt_timeout(5)),
    "max_concurrency": (4, lambda b: b.max_concurrency(4)),
    "rpm": (500, lambda b: b.rpm(500)),
    "tpm": (90_000, lambda b: b.tpm(90_000)),
    "weight": (2, lambda b: b.weight(2)),
    "priority": (1, lambda b: b.priority(1)),
    "context_window": (128_000, lambda b: b.context_window(128_000)),
    "cannot": (["images"], lambda b: b.cannot("images")),
}


def built(change: Callable[[Builder], object] = lambda b: b, **options: Any) -> ManagerConfig:
    builder: Builder = ManagerBuilder(lambda config: config)
    builder.add_instance("openai", "gpt-4", "k", **options)
    change(builder)
    return builder.config()


def written(settings: Any = None, task: Any = None, **provider: Any) -> ManagerConfig:
    """Return the configuration of a file, and see that a dict gives the same."""
    document: dict[str, Any] = {"settings": settings or {}, "tasks": [task] if task else []}
    document["providers"] = [{"type": "openai", "model": "gpt-4", "api_key": "k", **provider}]
    config = config_from_toml(toml_of(document), environ={})
    assert config == config_from_dict(document, {})
    return config


@pytest.mark.parametrize("key", SETTING_KINDS)
def test_every_setting(key: str) -> None:
    value, change = SETTINGS[key]
    assert built(change) == written({key: value}) != written()


@pytest.mark.parametrize("key", TASK_KINDS)
def test_every_key_of_a_task(key: str) -> None:
    table, task = TASK[key]
    config = built(lambda b: b.define_task(task).supports("t"))
    assert config == written(task=table, tasks=["t"]) != written()
    assert (key == "name") == (config == written(task={"name": "t"}, tasks=["t"]))


@pytest.mark.parametrize("key", [key for key in INSTANCE_KINDS if key not in FILE_KEYS])
def test_every_key_of_a_provider(key: str) -> None:
    if key in ("model", "api_key"):  # which every other case gives as well
        return
    if key == "tasks":
        assert built(lambda b: b.define_task(TaskDefinition("t")).supports_many(["t"])) == written(
            task={"name": "t"}, tasks=["t"]
        )
    elif key in ("input_cost", "output_cost", "cached_input_cost"):
        assert built(lambda b: b.costs(1, 2)) == written(input_cost=1, output_cost=2) != written()
        cached = {"input_cost": 1, "output_cost": 2, "cached_input_cost": 0.1}
        assert built(lambda b: b.costs(1, 2, 0.1)) == written(**cached) != written()
        assert built(**cached) == written(**cached)
        with pytest.raises(ConfigError, match=f"{key} in providers\\[0\\] tells nothing without"):
            written(**{key: 1})
    else:
        value, change = INSTANCE[key]
        assert built(change) == built(**{key: value}) == written(**{key: value}) != written()


def test_all_at_once() -> None:
    settings = {key: value for key, (value, _) in SETTINGS.items()}
    options = {key: value for key, (value, _) in INSTANCE.items()}

    def change(builder: Builder) -> None:
        for _, call in [*SETTINGS.values(), *INSTANCE.values()]:
            call(builder)

    assert built(change) == written(settings, **options)
