"""What a valid configuration says, instance by instance and task by task, for a table or for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flyllm._routing.instance import InstanceSnapshot
from flyllm.config.model import InstanceConfig, ManagerConfig
from flyllm.manager import LLMManager
from flyllm.providers.endpoint import resolve
from flyllm.providers.registry import provider_spec

_LIMITS = ("rpm", "tpm", "max_concurrency", "timeout", "context_window", "priority", "weight")
_USUAL = {"priority": 0, "weight": 1.0}


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """An instance under the name it has in the ledger. `host` is where its requests go, with a port that is written."""

    name: str
    host: str
    api: str
    config: InstanceConfig

    @property
    def limits(self) -> dict[str, Any]:
        """Its limits as far as they are set."""
        values = {name: getattr(self.config, name) for name in _LIMITS}
        return {name: value for name, value in values.items() if value not in (None, _USUAL.get(name))}

    def as_json(self) -> dict[str, Any]:
        """Return it for programs; of the key only whether there is one."""
        instance = self.config
        return {
            "name": self.name,
            "provider": instance.provider,
            "api": self.api,
            "model": instance.model,
            "host": self.host,
            "tasks": list(instance.tasks),
            "enabled": instance.enabled,
            "key": bool(instance.api_key),
            "limits": self.limits,
        }


def instance_facts(config: ManagerConfig) -> list[InstanceFacts]:
    """Return one for every instance, in the order of the file."""
    with LLMManager(config) as manager:
        return [_facts(*pair) for pair in zip(manager.instances, config.instances, strict=True)]


def _facts(snapshot: InstanceSnapshot, instance: InstanceConfig) -> InstanceFacts:
    api, url = resolve(provider_spec(instance.provider), instance.endpoint, instance.api)
    parts = urlsplit(url)
    host = parts.hostname or ""
    return InstanceFacts(snapshot.name, f"{host}:{parts.port}" if parts.port else host, api.name, instance)


def servants(task: str, instances: Sequence[InstanceFacts]) -> list[str]:
    """Return the names of the enabled instances that serve `task`."""
    return [facts.name for facts in instances if facts.config.enabled and task in facts.config.tasks]


def notes(config: ManagerConfig, instances: Sequence[InstanceFacts]) -> Iterator[str]:
    """Yield what is allowed and perhaps not meant."""
    if not any(facts.config.enabled for facts in instances):
        yield "no instance is enabled: every request will fail"
        return
    for task in config.tasks:
        if not servants(task.name, instances):
            yield f"task '{task.name}' is served by disabled instances only"
