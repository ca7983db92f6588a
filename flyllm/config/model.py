"""What a manager is assembled from, as plain immutable values.

The file reader and the builder both end here. The values may hold anything until `validate.validated` has
passed them; behind it they are what the annotations say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from flyllm._routing.strategies import Strategy
from flyllm._secret import Secret
from flyllm.tasks import TaskDefinition

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

UnsupportedParams = Literal["warn", "error"]
"""What happens to a common parameter that a provider cannot take: left out with a warning, or an error."""

LogLevel = Literal["debug", "info", "warning", "error"]
LOG_LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)


@dataclass(frozen=True, slots=True)
class InstanceConfig:
    """One instance: a provider, a model, a key and a place.

    Attributes:
        provider: the provider's name, lower case.
        model: the model's name as the provider writes it.
        api_key: empty where the provider or the endpoint needs none; no environment variable is read in its place.
        tasks: names of the tasks it serves; with none it serves only requests without a task.
        name: what responses, logs and metrics call it; without it the manager names it after provider and model.
        endpoint: where to send requests: a host, a base URL or a full path; without it the provider's public host.
        api: which of the provider's APIs; without it the one that the endpoint names, else the provider's first.
        enabled: whether it is given requests.
        params: defaults that tasks and requests override.
        headers: sent with every request; they may hold tokens and are therefore not shown in the repr.
        timeout: seconds for one attempt; without it the manager's `attempt_timeout`.
        max_concurrency: requests in flight at once; without it 64.
        rpm: requests per minute that the provider grants; without it they are not counted.
        tpm: tokens per minute that the provider grants, prompts and answers together; without it they are not counted.
        weight: its share of the requests beside other instances, for strategies that weigh.
        priority: instances of a higher number are used only while none of a lower one can take the request.
        context_window: tokens that its model can take in; a prompt too long elsewhere is tried where this is higher.
        cannot: what its model cannot do although the provider's API can: "tools", "images", "schemas", "embeddings";
            requests that need it go elsewhere.
        input_cost: price of a million tokens of prompts, in any one currency.
        output_cost: price of a million tokens of answers, in the same currency.
        cached_input_cost: price of a million tokens of prompts that the provider had in its cache; without it
            `input_cost`.
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
    cannot: tuple[str, ...] = ()
    input_cost: float | None = None
    output_cost: float | None = None
    cached_input_cost: float | None = None


@dataclass(frozen=True, slots=True)
class ManagerConfig:
    """Everything a manager is built from.

    Attributes:
        strategy: the name of the strategy that chooses instances, or, in Python, an object with a `select` method.
        max_retries: further attempts after the first, per request.
        timeout: seconds for a whole request, waiting and retries included; inf, in Python None, for no limit.
        attempt_timeout: seconds for one attempt at instances that have no `timeout` of their own.
        first_content_timeout: seconds of an attempt until a stream's first content; inf for no limit.
        idle_timeout: seconds between two events of a stream; inf for no limit.
        max_stall: seconds that requests wait at most while no instance answers any; inf for no limit.
        retry_ratio: retries that every success pays for, beyond a reserve; 0.2 suits callers that retry themselves.
        max_workers: threads of a batch; without it what the instances can bear.
        unsupported_params: what happens to a parameter that a provider cannot take: "warn" leaves it out, "error"
            refuses the request.
        debug_folder: where debug files go; without it none are written.
        debug_prompts: whether debug files hold prompts and answers, or only how long they are.
        metrics: whether Prometheus metrics are kept; in Python also the registry they are kept in.
        opentelemetry: whether spans and metrics go to OpenTelemetry, as the application has set it up.
        budget_cost: what all requests together may cost, by the instances' prices; then new ones are refused.
        budget_tokens: tokens that all requests together may take; then new ones are refused.
        log_level: print log records from this level on; without it logging is left to the application.
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
    debug_prompts: bool = True
    metrics: "bool | CollectorRegistry" = False
    opentelemetry: bool = False
    budget_cost: float | None = None
    budget_tokens: int | None = None
    log_level: LogLevel | None = None
