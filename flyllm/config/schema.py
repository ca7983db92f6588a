"""The file's form as a JSON Schema, with which editors complete keys, show what they mean and mark mistakes.

Made of what the validation itself uses: `kinds` says what a key may hold, the docstrings of the models what it means.
A schema cannot see what several values must have in common; `flyllm check` does.
"""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from flyllm.config.kind import Kind
from flyllm.config.kinds import FILE_KEYS, INSTANCE_KINDS, KEY_FILE_KINDS, SETTING_KINDS, TASK_KINDS
from flyllm.config.model import InstanceConfig, ManagerConfig
from flyllm.tasks import TaskDefinition

_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
_KEY_FILE = {"api_key_file": "The key is read from this file, a mounted secret for example, instead of api_key."}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a configuration file."""
    task = {name: kind for name, kind in TASK_KINDS.items() if name != "params"}
    provider = {FILE_KEYS.get(name, name): kind for name, kind in INSTANCE_KINDS.items()} | KEY_FILE_KINDS
    renamed = {FILE_KEYS.get(name, name): text for name, text in descriptions(InstanceConfig).items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "flyllm",
        "description": 'Configuration of a flyllm manager. Any string may name environment variables: "${NAME}".',
        "type": "object",
        "properties": {
            "settings": _table("What concerns all instances.", SETTING_KINDS, descriptions(ManagerConfig)),
            "tasks": {
                "type": "array",
                "items": _table(
                    "Names to route by. Every key that is not listed is a parameter of the task's requests.",
                    task,
                    descriptions(TaskDefinition),
                    required=("name",),
                    open_to_others=True,
                ),
            },
            "providers": {
                "type": "array",
                "minItems": 1,
                "items": _table(
                    "One instance: a provider, a model, a key and a place.",
                    provider,
                    renamed | _KEY_FILE,
                    required=("type", "model"),
                ),
            },
        },
        "required": ["providers"],
        "additionalProperties": False,
    }


def descriptions(model: type) -> dict[str, str]:
    """Return what the docstring of `model` says of each attribute; nothing where Python runs without docstrings."""
    text = inspect.cleandoc(model.__doc__ or "")
    return {name: _sentence(words) for name, words in _ATTRIBUTE.findall(text)}


def _sentence(words: str) -> str:
    text = " ".join(words.split())
    return text[:1].upper() + text[1:]


def _table(
    description: str,
    kinds: Mapping[str, Kind],
    texts: Mapping[str, str],
    *,
    required: tuple[str, ...] = (),
    open_to_others: bool = False,
) -> dict[str, Any]:
    table: dict[str, Any] = {
        "description": description,
        "type": "object",
        "properties": {key: {"description": texts.get(key, ""), **kind.schema} for key, kind in kinds.items()},
        "additionalProperties": open_to_others,
    }
    return {**table, "required": list(required)} if required else table
