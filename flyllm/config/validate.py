"""The one validation, for files and for the builder: all faults at once, each one string. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from flyllm._routing.strategies import STRATEGY_NAMES
from flyllm._secret import Secret, redact
from flyllm.config.environment import is_unresolved
from flyllm.config.fault import Fault, Place
from flyllm.config.kind import KEY, NAMES, Kind
from flyllm.config.kinds import FILE_KEYS, INSTANCE_KINDS, SETTING_KINDS, TASK_KINDS
from flyllm.config.model import InstanceConfig, ManagerConfig
from flyllm.config.normal import normal
from flyllm.config.rules import RULES, params_sendable, provider_params_sound
from flyllm.config.wording import found, hint, noun
from flyllm.errors import ConfigError
from flyllm.tasks import TaskDefinition

# A shorter text may be an ordinary word, as in api_key = "ollama"; hiding it would garble the messages.
_SHORTEST_KEY_HIDDEN = 16


def validated(
    config: ManagerConfig,
    faults: Sequence[str] = (),
    title: str = "The configuration",
    locate: Callable[[list[str]], list[str]] = list,
) -> ManagerConfig:
    """Return `config` in its final form, or raise one `ConfigError` with `faults` and all that are found here.

    `locate` is given the faults and returns them with the places of the file that they speak of.
    """
    # A report of the error that shows local variables shows the ones here, which must not hold a key.
    every = _told(faults, config, locate)
    if every:
        raise ConfigError.from_faults(every, f"{title} is not valid")
    return normal(config)


def _told(faults: Sequence[str], config: ManagerConfig, locate: Callable[[list[str]], list[str]]) -> list[str]:
    """Return `faults` and those of `config` as they may be shown: with their places, without keys."""
    every: list[str] = [*faults, *faults_of(config)]
    if not every:
        return []
    keys = [i.api_key.reveal().strip() for i in config.instances if KEY.accepts(i.api_key)]
    keys = [key for key in keys if len(key) >= _SHORTEST_KEY_HIDDEN]
    return [_without_keys(each, keys) for each in locate(every)]


def faults_of(config: ManagerConfig) -> list[Fault]:
    """Return what is wrong with `config`, in the order of a file: settings, tasks, providers.

    A key that stands where it does not belong is still to be seen in them.
    """
    return [*_settings(config), *_tasks(config.tasks), *_instances(config.instances), *_links(config)]


def _without_keys(fault: str, keys: Sequence[str]) -> str:
    # No rule prints a key, but a key may also stand where it does not belong: in a URL, as the model's name.
    # Other faults are left alone, since redact also masks what only looks like a key: a task named key_points.
    return redact(fault, *map(Secret, keys)) if any(key in fault for key in keys) else str(fault)


def _settings(config: ManagerConfig) -> Iterator[Fault]:
    where = Place(("settings",))
    faults, sound = _kinds(config, SETTING_KINDS, where)
    yield from faults
    strategy = config.strategy
    if "strategy" in sound and isinstance(strategy, str) and strategy.strip().lower() not in STRATEGY_NAMES:
        near = hint(strategy, STRATEGY_NAMES)
        text = f"Unknown strategy {strategy!r}{near}\n  → Valid strategies: {', '.join(STRATEGY_NAMES)}"
        yield Fault(text, where / "strategy")


def _tasks(tasks: Sequence[TaskDefinition]) -> Iterator[Fault]:
    for index, task in enumerate(tasks):
        where = Place(("tasks", index))
        faults, sound = _kinds(task, TASK_KINDS, where)
        yield from faults
        if "params" in sound:
            yield from params_sendable(task.params, where)
        if "provider_params" in sound:
            yield from provider_params_sound(task.provider_params, where / "provider_params")
    yield from _duplicates("task", "tasks", [task.name for task in tasks])


def _instances(instances: Sequence[InstanceConfig]) -> Iterator[Fault]:
    if not instances:
        text = "No providers are configured\n  → Add a [[providers]] section, or call .add_instance(...)"
        yield Fault(text, Place(("providers",)))
    for index, instance in enumerate(instances):
        where = Place(("providers", index))
        faults, sound = _kinds(instance, INSTANCE_KINDS, where)
        yield from faults
        for reads, rule in RULES:
            if reads <= sound:
                yield from rule(instance, where)
    yield from _duplicates("provider", "providers", [instance.name for instance in instances])


def _kinds(values: Any, kinds: Mapping[str, Kind], where: Place) -> tuple[list[Fault], set[str]]:
    """Return the faults of single values, and the names of the fields that later rules may read."""
    faults, sound = [], set()
    for field in fields(values):
        kind, key, value = kinds.get(field.name), FILE_KEYS.get(field.name, field.name), getattr(values, field.name)
        if kind is None or is_unresolved(value):
            continue
        if kind.accepts(value) or (value is None and field.default is None):
            sound.add(field.name)
        elif value is None and field.default is MISSING and field.default_factory is MISSING:
            faults.append(Fault(f"Missing key '{key}' in {where}\n  → It must be {kind.noun}", where))
        else:
            shown = noun(value) if kind.secret else found(value)
            faults.append(Fault(f"'{key}' in {where} must be {kind.noun}, found {shown}", where / key))
    return faults, sound


def _duplicates(what: str, section: str, names: Iterable[object]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name.strip() or is_unresolved(name):
            continue
        if name in first:
            text = f"Duplicate {what} name {name!r} in {section}[{index}]\n  → {section}[{first[name]}] has it already"
            yield Fault(text, Place((section, index, "name")))
        first.setdefault(name, index)


def _links(config: ManagerConfig) -> Iterator[Fault]:
    """Tasks that are referenced and not defined, then tasks that are defined and not referenced."""
    names = [task.name for task in config.tasks]
    lists = [instance.tasks for instance in config.instances]
    if not all(NAMES.accepts(texts) and not is_unresolved(texts) for texts in (names, *lists)):
        return  # a name is not known, so nothing can be said about what it refers to
    for index, instance in enumerate(config.instances):
        for item, task in enumerate(instance.tasks):
            if task not in names:
                text = (
                    f"Task {task!r} referenced by provider {_display(instance)!r} is not defined{hint(task, names)}\n"
                    f"  → Define it in [[tasks]] section or remove from provider's tasks list"
                )
                yield Fault(text, Place(("providers", index, "tasks", item)))
    served = {task for tasks in lists for task in tasks}
    for name in dict.fromkeys(names):
        if name not in served and config.instances:
            text = f"Task {name!r} is served by no provider\n  → Add it to a provider's tasks list or remove it"
            yield Fault(text, Place(("tasks", names.index(name), "name")))


def _display(instance: InstanceConfig) -> str:
    return f"{instance.name}" if instance.name else redact(f"{instance.provider}/{instance.model}")
