"""The model lists of all instances, asked for at once and put together."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from flyllm._routing.instance import InstanceSnapshot
from flyllm.cli.response_json import error_object
from flyllm.config.model import ManagerConfig
from flyllm.config.wording import hint
from flyllm.errors import ConfigError, LLMError
from flyllm.manager import LLMManager
from flyllm.types import ModelInfo

Told = list[ModelInfo] | LLMError


@dataclass(frozen=True, slots=True)
class Offer:
    """A model, and the names of the instances whose keys can use it."""

    model: ModelInfo
    instances: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelLists:
    """What `told` instances told together, and the failures of the others by their names."""

    told: int
    offers: list[Offer]
    failures: dict[str, LLMError]

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "models": [
                {
                    "id": offer.model.id,
                    "provider": offer.model.provider,
                    "owned_by": offer.model.owned_by,
                    "context_window": offer.model.context_window,
                    "instances": list(offer.instances),
                }
                for offer in self.offers
            ],
            "failures": {name: error_object(error) for name, error in self.failures.items()},
        }


def list_models(config: ManagerConfig, instance: str | None) -> ModelLists:
    """Ask the enabled instances of `config`, or the one of that name or number. Raises ConfigError."""
    # In this order, for closing the manager, as on Ctrl-C, is what ends the threads.
    with ThreadPoolExecutor(max(1, len(config.instances))) as threads, LLMManager(config) as manager:
        chosen = _chosen(manager.instances, instance)
        told = list(threads.map(_asking(manager), chosen))
    return _together([snapshot.name for snapshot in chosen], told)


def _asking(manager: LLMManager) -> Callable[[InstanceSnapshot], Told]:
    def ask(snapshot: InstanceSnapshot) -> Told:
        try:
            return manager.list_models(snapshot.id)
        except LLMError as error:
            return error

    return ask


def _chosen(instances: Sequence[InstanceSnapshot], name: str | None) -> list[InstanceSnapshot]:
    if name is None:
        return [snapshot for snapshot in instances if snapshot.enabled]
    found = [s for s in instances if s.name == name] or [s for s in instances if str(s.id) == name]
    if not found:
        names = [snapshot.name for snapshot in instances]
        raise ConfigError(f"There is no instance '{name}'{hint(name, names)}\n  → Instances: {', '.join(names)}")
    return found


def _together(names: Sequence[str], told: Sequence[Told]) -> ModelLists:
    offers: dict[tuple[str, str], Offer] = {}
    failures: dict[str, LLMError] = {}
    for name, models in zip(names, told, strict=True):
        if isinstance(models, LLMError):
            failures[name] = models
            continue
        for model in models:
            known = offers.get((model.provider, model.id), Offer(model, ()))
            offers[model.provider, model.id] = Offer(known.model, (*known.instances, name))
    return ModelLists(len(names) - len(failures), [offers[key] for key in sorted(offers)], failures)
