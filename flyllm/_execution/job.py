"""A request under way: what was asked, until when, where it may go, and its ledger."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flyllm._resilience.deadline import Deadline
from flyllm._routing.route import Route
from flyllm.errors import ConfigError
from flyllm.tasks import TaskDefinition
from flyllm.types import Attempt, GenerationRequest

ROLES = ("system", "developer", "user", "assistant", "tool")


@dataclass(slots=True)
class Job:
    """One request's state. Owned by the thread that runs it."""

    request: GenerationRequest
    task: TaskDefinition | None
    deadline: Deadline
    route: Route
    started: float
    ledger: list[Attempt] = field(default_factory=list)


def messages_of(request: GenerationRequest) -> list[Mapping[str, Any]]:
    """Return the whole conversation: system prompt, messages, prompt."""
    messages: list[Mapping[str, Any]] = list(request.messages or ())
    if request.system:
        messages.insert(0, {"role": "system", "content": request.system})
    if request.prompt:
        messages.append({"role": "user", "content": request.prompt})
    return messages


def check_request(request: GenerationRequest) -> None:
    """Raise one `ConfigError` that names everything wrong with `request`."""
    faults = [
        *_text_faults(request),
        *_message_faults(request.messages),
        *_mapping_faults("params", request.params),
        *_mapping_faults("provider_params", request.provider_params),
        *_timeout_faults(request.timeout),
    ]
    if faults:
        raise ConfigError.from_faults(faults, "The request is not valid")


def _text_faults(request: GenerationRequest) -> list[str]:
    faults = [
        f"{name} must be text, not {type(value).__name__}"
        for name in ("prompt", "system", "task")
        if not isinstance(value := getattr(request, name), str | None)
    ]
    if not faults and not request.prompt and not request.messages:
        faults.append("the request is empty: give a prompt or messages")
    return faults


def _message_faults(messages: Any) -> list[str]:
    if messages is None:
        return []
    if isinstance(messages, str | bytes) or not isinstance(messages, Sequence):
        return [f"messages must be a list of dicts, not {type(messages).__name__}"]
    faults = []
    for n, message in enumerate(messages):
        if not isinstance(message, Mapping):
            faults.append(f"messages[{n}] must be a dict with role and content, not {type(message).__name__}")
        elif message.get("role") not in ROLES:
            faults.append(f"messages[{n}] has role {message.get('role')!r}. Valid roles: {', '.join(ROLES)}")
    return faults


def _mapping_faults(name: str, value: Any) -> list[str]:
    return [] if value is None or isinstance(value, Mapping) else [f"{name} must be a dict, not {type(value).__name__}"]


def _timeout_faults(timeout: Any) -> list[str]:
    if timeout is None:
        return []
    number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if number and timeout > 0 and not math.isnan(timeout):
        return []
    return [f"timeout must be a positive number of seconds, not {timeout!r}"]
