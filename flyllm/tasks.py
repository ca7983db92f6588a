"""What a task is: a name to route by, with default parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """A named kind of work. Immutable: every `with_` method returns a new definition.

    Attributes:
        name: what requests and instances call it.
        params: defaults for requests of this task: they override an instance's and yield to a request's.
        timeout: default deadline in seconds for the whole request; without it the manager's.
        provider_params: further parameters per provider name, applied only where a request of this task lands there;
            they override `params`.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    provider_params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", MappingProxyType(dict(self.params)))
        object.__setattr__(self, "provider_params", _frozen(self.provider_params))

    def with_param(self, name: str, value: Any) -> "TaskDefinition":
        """Set any parameter; ones that flyllm does not know reach the provider untouched."""
        return replace(self, params={**self.params, name: value})

    def with_params(self, **params: Any) -> "TaskDefinition":
        """Set several parameters at once."""
        return replace(self, params={**self.params, **params})

    def with_provider_params(self, provider: str, /, **params: Any) -> "TaskDefinition":
        """Add parameters that apply only where a request of this task lands at `provider`."""
        known = self.provider_params.get(provider, {})
        return replace(self, provider_params={**self.provider_params, provider: {**known, **params}})

    def with_max_tokens(self, max_tokens: int) -> "TaskDefinition":
        """Limit the answer to `max_tokens` tokens."""
        return self.with_param("max_tokens", max_tokens)

    def with_temperature(self, temperature: float) -> "TaskDefinition":
        """Set the sampling temperature."""
        return self.with_param("temperature", temperature)

    def with_timeout(self, seconds: float) -> "TaskDefinition":
        """Set the default deadline of requests of this task, in seconds."""
        return replace(self, timeout=seconds)

    def __reduce__(self) -> Any:
        return TaskDefinition, (self.name, dict(self.params), self.timeout, _thawed(self.provider_params))


def _frozen(tables: Any) -> Any:
    """Return an unchangeable copy of a table of tables; what is none stays as it is, for the validation to report."""
    if not isinstance(tables, Mapping):
        return tables
    return MappingProxyType(
        {name: MappingProxyType(dict(table)) if isinstance(table, Mapping) else table for name, table in tables.items()}
    )


def _thawed(tables: Any) -> Any:
    """Return the same as dicts, which pickle."""
    if not isinstance(tables, Mapping):
        return tables
    return {name: dict(table) if isinstance(table, Mapping) else table for name, table in tables.items()}
