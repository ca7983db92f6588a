"""From a decoded configuration document to a `ManagerConfig` that is still to be validated.

Knows the document's shape: its sections, which keys each may have, and that every other key of a task is a parameter.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flyllm._secret import Origin, Secret, redact
from flyllm.config.environment import EnvironmentText, Unresolved, plain
from flyllm.config.fault import Fault, Place
from flyllm.config.kinds import FILE_KEYS, INSTANCE_KINDS, KEY_FILE_KINDS, SETTING_KINDS, TASK_KINDS
from flyllm.config.model import InstanceConfig, ManagerConfig
from flyllm.config.wording import found, noun, string_keys, unknown_keys
from flyllm.tasks import TaskDefinition

_FIELDS = {FILE_KEYS.get(name, name): name for name in INSTANCE_KINDS}
TASK_KEYS = tuple(name for name in TASK_KINDS if name != "params")
"""What a task has beside its parameters."""
PROVIDER_KEYS = (*_FIELDS, *KEY_FILE_KINDS)
_SECTIONS = ("settings", "tasks", "providers")
_LONGEST_KEY_FILE = 65_536  # characters; a wrong path may be a device without an end
_REFERENCE = re.compile(r"\$\{\w+\}")  # and nothing beside it, which might be a part of the key
_REPORTED = Unresolved("", "")


def draft_from(document: object, faults: list[str]) -> ManagerConfig:
    """Return what `document` says, right or wrong; append to `faults` what does not fit the models at all."""
    root = _table(document, Place(), faults, _SECTIONS)
    settings = _table(root.get("settings", {}), Place(("settings",)), faults, tuple(SETTING_KINDS))
    return ManagerConfig(
        tasks=tuple(_task(item, where, faults) for where, item in _items(root, "tasks", faults)),
        instances=tuple(_instance(item, where, faults) for where, item in _items(root, "providers", faults)),
        **{key: settings[key] for key in SETTING_KINDS if key in settings},
    )


def _items(root: Mapping[str, Any], section: str, faults: list[str]) -> list[tuple[Place, object]]:
    items, place = root.get(section, []), Place((section,))
    if not isinstance(items, list):
        text = f"'{section}' must be a list of tables, each headed [[{section}]], found {noun(items)}"
        faults.append(Fault(text, place))
        return []
    return [(place / index, item) for index, item in enumerate(items)]


def _table(value: object, where: Place, faults: list[str], valid: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return `value` as a dict; with `valid`, keys not among these are faults."""
    if not isinstance(value, Mapping):
        faults.append(Fault(f"{where} must be a table, found {found(value)}", where))
        return {}
    table, wrong = string_keys(value, where)
    faults += wrong
    if valid:
        faults += unknown_keys(table, valid, where)
    return table


def _task(item: object, where: Place, faults: list[str]) -> TaskDefinition:
    table = _table(item, where, faults)
    params = {key: value for key, value in table.items() if key not in TASK_KEYS}
    own = {key: table[key] for key in TASK_KEYS if key in table}
    return TaskDefinition(**{"name": _absent(item), **own, "params": params})


def _absent(item: object) -> Any:
    """Stand for a required value; None is reported as missing, which is beside the point where `item` is no table."""
    return None if isinstance(item, Mapping) else _REPORTED


def _instance(item: object, where: Place, faults: list[str]) -> InstanceConfig:
    table = _table(item, where, faults, PROVIDER_KEYS)
    values: dict[str, Any] = {"provider": _absent(item), "model": _absent(item)}
    values |= {_FIELDS[key]: value for key, value in table.items() if key in _FIELDS}
    key = values.get("api_key")
    if isinstance(key, str) and not isinstance(key, Unresolved):
        values["api_key"] = key_of(key)
    if "api_key_file" in table:
        values["api_key"] = _key_from_file(table, where, faults)
    return InstanceConfig(**values)


def key_of(text: str) -> Secret:
    """Return the key in a text whose variables are filled in, and where it came from."""
    written = text.written if isinstance(text, EnvironmentText) else ""
    return Secret(plain(text), Origin(written) if _REFERENCE.fullmatch(written) else None)


def _key_from_file(table: Mapping[str, Any], where: Place, faults: list[str]) -> Secret | Unresolved:
    path, place = table["api_key_file"], where / "api_key_file"
    if table.get("api_key"):
        faults.append(Fault(f"Both api_key and api_key_file in {where}\n  → Remove one of them", place))
    elif not isinstance(path, str):
        faults.append(Fault(f"'api_key_file' in {where} must be a string, found {found(path)}", place))
    elif not isinstance(path, Unresolved):
        try:
            with Path(plain(path)).open(encoding="utf-8-sig") as file:
                return Secret(file.read(_LONGEST_KEY_FILE), Origin(file=os.path.abspath(plain(path))))
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it cannot be read as UTF-8 text"
            # Redacted, since the key itself is easily written in the place of the file's name.
            name = redact(f"{path}")
            faults.append(Fault(f"Failed to read api_key_file {name!r} in {where}: {reason}", place))
    return _REPORTED
