"""What a task is: a name to route by, with default parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """A named kind of work. Immutable: every `with_` method returns a new definition.

    `params` are defaults for requests of this task: they override an instance's and yield to a request's.
    `timeout` is the default deadline in seconds for the whole request; None leaves the manager's.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", MappingProxyType(dict(self.params)))

    def with_param(self, name: str, value: Any) -> "TaskDefinition":
        """Set any parameter; ones that flyllm does not know reach the provider untouched."""
        return replace(self, params={**self.params, name: value})

    def with_params(self, **params: Any) -> "TaskDefinition":
        """Set several parameters at once."""
        return replace(self, params={**self.params, **params})

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
        return TaskDefinition, (self.name, dict(self.params), self.timeout)
