"""A configuration on its way to another process: without keys, which are looked up there."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flyllm._secret import Origin, Secret
from flyllm.config.environment import expand, plain
from flyllm.config.model import InstanceConfig, ManagerConfig
from flyllm.config.normal import normal
from flyllm.errors import ConfigError

_PRIVATE_HEADER = re.compile("auth|key|token|secret|cookie|password", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Portable:
    """A configuration that pickles: plain values, and for each instance where its key is found."""

    config: ManagerConfig
    origins: tuple[Origin | None, ...]


def packed(config: ManagerConfig) -> Portable:
    """Return `config` without its keys. Raises `ConfigError` that names every instance that has no other way."""
    faults = [fault for number, instance in enumerate(config.instances) for fault in _faults(number, instance)]
    if faults:
        raise ConfigError.from_faults(faults, "The manager cannot be pickled")
    bare = tuple(
        replace(each, api_key=None, params=dict(each.params), headers=dict(each.headers))  # type: ignore[arg-type]
        for each in config.instances
    )
    # A registry stays here: the other process keeps its metrics in its own default one.
    there = replace(config, instances=bare, metrics=config.metrics is not False)
    return Portable(there, tuple(each.api_key.origin for each in config.instances))


def unpacked(portable: Portable) -> ManagerConfig:
    """Return the configuration with the keys that this process finds. Raises `ConfigError` that names all others."""
    faults: list[str] = []
    instances = [
        replace(instance, api_key=_key(origin, number, faults) if origin is not None else Secret(""))
        for number, (instance, origin) in enumerate(zip(portable.config.instances, portable.origins, strict=True))
    ]
    if faults:
        raise ConfigError.from_faults(faults, "The keys of an unpickled manager are not to be had here")
    return normal(replace(portable.config, instances=tuple(instances)))


def _faults(number: int, instance: InstanceConfig) -> list[str]:
    where = f"providers[{number}] ({instance.provider}/{instance.model})"
    faults = [
        f"Header '{name}' of {where} may hold a secret, and secrets are not pickled"
        for name in instance.headers
        if _PRIVATE_HEADER.search(name)
    ]
    if instance.api_key and instance.api_key.origin is None:
        faults.append(
            f"The key of {where} was given as text, and keys are not pickled\n"
            '  → Give it as "${NAME}" or by api_key_file, so that the other process can look it up'
        )
    return faults


def _key(origin: Origin, number: int, faults: list[str], environ: Mapping[str, str] = os.environ) -> Secret:
    if origin.text:
        found: Any = expand(origin.text, environ, faults, ("providers", number, "api_key"))
        return Secret(plain(found), origin)
    try:
        return Secret(Path(origin.file).read_text(encoding="utf-8-sig").strip(), origin)
    except (OSError, ValueError) as exc:
        faults.append(f"Failed to read api_key_file '{origin.file}' of providers[{number}]: {type(exc).__name__}")
        return Secret("")
