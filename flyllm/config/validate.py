"""The one validation, for files and for the builder: all faults at once, each one string. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from flyllm._routing.strategies import STRATEGY_NAMES
from flyllm._secret import Secret, redact
from flyllm.config.environment import is_unresolved
from flyllm.config.kinds import FILE_KEYS, INSTANCE_KINDS, KEY, NAMES, SETTING_KINDS, TASK_KINDS, Kind
from flyllm.config.model import InstanceConfig, ManagerConfig
from flyllm.config.normal import normal
from flyllm.config.rules import RULES, params_sendable
from flyllm.config.wording import found, hint, noun
from flyllm.errors import ConfigError
from flyllm.tasks import TaskDefinition

# A shorter text may be an ordinary word, as in api_key = "ollama"; hiding it would garble the messages.
_SHORTEST_KEY_HIDDEN = 16


def validated(config: ManagerConfig, faults: Sequence[str] = (), title: str = "The configuration") -> ManagerConfig:
    """Return `config` in its final form, or raise one `ConfigError` with `faults` and all that are found here."""
    every = [*faults, *faults_of(config)]
    if every:
        raise ConfigError.from_faults(every, f"{title} is not valid")
    return normal(config)


def faults_of(config: ManagerConfig) -> list[str]:
    """Return what is wrong with `config`, in the order of a file: settings, tasks, providers."""
    faults = [*_settings(config), *_tasks(config.tasks), *_instances(config.instances), *_links(config)]
    keys = [i.api_key.reveal().strip() for i in config.instances if KEY.accepts(i.api_key)]
    return [_without_keys(fault, [key for key in keys if len(key) >= _SHORTEST_KEY_HIDDEN]) for fault in faults]


def _without_keys(fault: str, keys: Sequence[str]) -> str:
    # No rule prints a key, but a key may also stand where it does not belong: in a URL, as the model's name.
    # Other faults are left alone, since redact also masks what only looks like a key: a task named key_points.
    return redact(fault, *map(Secret, keys)) if any(key in fault for key in keys) else fault


def _settings(config: ManagerConfig) -> Iterator[str]:
    faults, sound = _kinds(config, SETTING_KINDS, "settings")
    yield from faults
    strategy = config.strategy
    if "strategy" in sound and isinstance(strategy, str) and strategy.strip().lower() not in STRATEGY_NAMES:
        near = hint(strategy, STRATEGY_NAMES)
        yield f"Unknown strategy '{strategy}'{near}\n  → Valid strategies: {', '.join(STRATEGY_NAMES)}"


def _tasks(tasks: Sequence[TaskDefinition]) -> Iterator[str]:
    for index, task in enumerate(tasks):
        where = f"tasks[{index}]"
        faults, sound = _kinds(task, TASK_KINDS, where)
        yield from faults
        if "params" in sound:
            yield from params_sendable(task.params, where)
    yield from _duplicates("task", "tasks", [task.name for task in tasks])


def _instances(instances: Sequence[InstanceConfig]) -> Iterator[str]:
    if not instances:
        yield "No providers are configured\n  → Add a [[providers]] section, or call .add_instance(...)"
    for index, instance in enumerate(instances):
        where = f"providers[{index}]"
        faults, sound = _kinds(instance, INSTANCE_KINDS, where)
        yield from faults
        for reads, rule in RULES:
            if reads <= sound:
                yield from rule(instance, where)
    yield from _duplicates("provider", "providers", [instance.name for instance in instances])


def _kinds(values: Any, kinds: Mapping[str, Kind], where: str) -> tuple[list[str], set[str]]:
    """Return the faults of single values, and the names of the fields that later rules may read."""
    faults, sound = [], set()
    for field in fields(values):
        kind, value = kinds.get(field.name), getattr(values, field.name)
        if kind is None or is_unresolved(value):
            continue
        if kind.accepts(value) or (value is None and field.default is None):
            sound.add(field.name)
        elif value is None and field.default is MISSING and field.default_factory is MISSING:
            faults.append(f"Missing key '{_key(field.name)}' in {where}\n  → It must be {kind.noun}")
        else:
            shown = noun(value) if kind.secret else found(value)
            faults.append(f"'{_key(field.name)}' in {where} must be {kind.noun}, found {shown}")
    return faults, sound


def _key(name: str) -> str:
    return FILE_KEYS.get(name, name)


def _duplicates(what: str, section: str, names: Iterable[object]) -> Iterator[str]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name.strip() or is_unresolved(name):
            continue
        if name in first:
            yield f"Duplicate {what} name '{name}' in {section}[{index}]\n  → {section}[{first[name]}] has it already"
        first.setdefault(name, index)


def _links(config: ManagerConfig) -> Iterator[str]:
    """Tasks that are referenced and not defined, then tasks that are defined and not referenced."""
    names = [task.name for task in config.tasks]
    lists = [instance.tasks for instance in config.instances]
    if not all(NAMES.accepts(texts) and not is_unresolved(texts) for texts in (names, *lists)):
        return  # a name is not known, so nothing can be said about what it refers to
    for instance in config.instances:
        for task in instance.tasks:
            if task not in names:
                yield (
                    f"Task '{task}' referenced by provider '{_display(instance)}' is not defined{hint(task, names)}\n"
                    f"  → Define it in [[tasks]] section or remove from provider's tasks list"
                )
    served = {task for tasks in lists for task in tasks}
    for name in dict.fromkeys(names):
        if name not in served and config.instances:
            yield f"Task '{name}' is served by no provider\n  → Add it to a provider's tasks list or remove it"


def _display(instance: InstanceConfig) -> str:
    return f"{instance.name}" if instance.name else redact(f"{instance.provider}/{instance.model}")
