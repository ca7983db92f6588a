"""What a manager is assembled from, as plain immutable values.

The file reader and the builder both end here. The values may hold anything until `validate.validated` has
passed them; behind it they are what the annotations say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from flyllm._routing.strategies import Strategy
from flyllm._secret import Secret
from flyllm.tasks import TaskDefinition

UnsupportedParams = Literal["warn", "error"]
"""What happens to a common parameter that a provider cannot take: left out with a warning, or an error."""


@dataclass(frozen=True, slots=True)
class InstanceConfig:
    """One instance: a provider, a model, a key and a place.

    Attributes:
        provider: the provider's name, lower case.
        api_key: empty where the provider or the endpoint needs none.
        tasks: names of the tasks it serves; with none it serves only requests without a task.
        name: how the user calls it; None leaves the naming to the manager.
        endpoint: where to send requests; None means the provider's public host.
        api: which of the provider's APIs; None means the one the endpoint names, else the default.
        params: defaults that tasks and requests override.
        headers: sent with every request; they may hold tokens and are therefore not shown in the repr.
        timeout: seconds for one attempt; None takes the manager's `attempt_timeout`.
        max_concurrency: requests in flight at once; None means the default of 64.
        rpm, tpm: requests and tokens per minute that the provider grants; None where that is not known.
        weight: its share of the requests beside other instances, for strategies that weigh.
        priority: instances of a higher number are used only while none of a lower one can take the request.
        context_window: tokens that its model can take in; None where that is not known.
        input_cost, output_cost: price of a million tokens of prompts and of answers, in any one currency; None where
            not known.
    """

    provider: str
    model: str
    api_key: Secret = Secret("")
    tasks: tuple[str, ...] = ()
    name: str | None = None
    endpoint: str | None = None
    api: str | None = None
    enabled: bool = True
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float | None = None
    max_concurrency: int | None = None
    rpm: int | None = None
    tpm: int | None = None
    weight: float = 1.0
    priority: int = 0
    context_window: int | None = None
    input_cost: float | None = None
    output_cost: float | None = None


@dataclass(frozen=True, slots=True)
class ManagerConfig:
    """Everything a manager is built from.

    Attributes:
        strategy: the name of a strategy, or an object of the user's with a `select` method.
        max_retries: further attempts after the first, per request.
        timeout: deadline of one request in seconds, waiting and retries included; None means no limit.
        attempt_timeout: seconds for one attempt at instances that have no `timeout` of their own.
        first_content_timeout, idle_timeout: seconds of an attempt until a stream's first content, and between two
            events from then on; infinite means no limit.
        max_stall: seconds that requests wait at most while no instance answers any; infinite means no limit.
        retry_ratio: retries that every success pays for, beyond a reserve; 0.2 suits callers that retry themselves.
        max_workers: threads of a batch; None leaves the number to the manager.
        debug_folder: where debug files go; None means none are written.
    """

    instances: tuple[InstanceConfig, ...]
    tasks: tuple[TaskDefinition, ...] = ()
    strategy: str | Strategy = "lru"
    max_retries: int = 5
    timeout: float | None = 300.0
    attempt_timeout: float = 180.0
    first_content_timeout: float = 120.0
    idle_timeout: float = 60.0
    max_stall: float = 300.0
    retry_ratio: float = 1.0
    max_workers: int | None = None
    unsupported_params: UnsupportedParams = "warn"
    debug_folder: str | None = None
