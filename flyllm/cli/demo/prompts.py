"""Reading prompts from a JSONL file: one request per line."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from flyllm.config.model import ManagerConfig
from flyllm.errors import ConfigError
from flyllm.request import GenerationRequest

SHIPPED = Path(__file__).with_name("prompts.jsonl")
"""The demo's own 40 prompts."""

_FIELDS: dict[str, type] = {"prompt": str, "task": str, "params": dict}


def read_prompts(path: Path) -> list[GenerationRequest]:
    """Return the requests in `path`. Raises ConfigError that names every line that is none."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise ConfigError(f"Failed to read prompts file '{path}': {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"Failed to read prompts file '{path}': it is not UTF-8 text") from error
    requests: list[GenerationRequest] = []
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            row = _decoded(line)
            fault = _fault(row)
            if fault:
                faults.append(f"{path}, line {number}: {fault}")
            else:
                requests.append(GenerationRequest(**row))
    if not requests and not faults:
        faults.append(f"{path} holds no prompts")
    if faults:
        raise ConfigError.from_faults(faults, "The prompts file is not valid")
    return requests


def fitted(requests: Sequence[GenerationRequest], config: ManagerConfig) -> tuple[list[GenerationRequest], list[str]]:
    """Return `requests` without tasks that no instance serves, and the names of these tasks."""
    served = {task for instance in config.instances if instance.enabled for task in instance.tasks}
    unknown = {request.task for request in requests if request.task is not None} - served
    return [replace(r, task=None) if r.task in unknown else r for r in requests], sorted(unknown)


def _decoded(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _fault(row: Any) -> str | None:
    if not isinstance(row, dict):
        return 'not a JSON object such as {"prompt": "...", "task": "..."}'
    for name, value in row.items():
        if name not in _FIELDS:
            return f"unknown key '{name}'; known are {', '.join(_FIELDS)}"
        if not isinstance(value, _FIELDS[name]):
            return f"'{name}' must be {'an object' if _FIELDS[name] is dict else 'text'}"
    return None if row.get("prompt") else "'prompt' is missing or empty"
