"""Configuration by chained calls. Collects what it is told; nothing is judged before `build()` or `config()`."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from flyllm._routing.strategies import Strategy
from flyllm._secret import Secret
from flyllm.config.document import key_of
from flyllm.config.environment import Unresolved, expand
from flyllm.config.fault import Place
from flyllm.config.kinds import INSTANCE_KINDS
from flyllm.config.model import InstanceConfig, ManagerConfig
from flyllm.config.validate import validated
from flyllm.config.wording import noun, unknown_keys
from flyllm.tasks import TaskDefinition
from flyllm.types import ProviderType

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

M = TypeVar("M")

_OPTIONS = tuple(name for name in INSTANCE_KINDS if name not in ("provider", "model", "api_key"))


class ManagerBuilder(Generic[M]):
    """Fluent construction of a manager.

    `define_task`, `strategy`, `max_retries`, `timeout`, `default_attempt_timeout`, `first_content_timeout`,
    `idle_timeout`, `max_stall`, `retry_ratio`, `max_workers`, `unsupported_params`, `debug_folder`, `debug_prompts`,
    `metrics`, `opentelemetry`, `budget` and `log_level` concern the manager; all others the instance added last.
    No method but `build()` and `config()` raises anything.
    """

    def __init__(self, factory: Callable[[ManagerConfig], M]) -> None:
        """Let `build()` return what `factory` makes of the validated configuration."""
        self._factory = factory
        self._settings: dict[str, Any] = {}
        self._tasks: list[TaskDefinition] = []
        self._instances: list[dict[str, Any]] = []
        self._faults: list[str] = []

    def define_task(self, task: TaskDefinition) -> Self:
        """Define a task that instances can support."""
        given: object = task
        if isinstance(given, TaskDefinition):
            self._tasks.append(given)
        else:
            self._faults.append(f".define_task() takes a TaskDefinition, found {noun(given)}")
        return self

    def add_instance(
        self,
        provider_type: ProviderType | str,
        model: str,
        api_key: str | Secret = "",
        *,
        name: str | None = None,
        **options: Any,
    ) -> Self:
        """Add an instance; the methods that follow concern it.

        Args:
            provider_type: a `ProviderType` or its name in any case.
            model: the model's name as the provider writes it.
            api_key: the key, or "${NAME}" for the environment variable that has it; empty for providers and endpoints
                that need none. No variable is read in its place.
            name: what to call the instance in responses, logs and metrics; None leaves that to the manager.
            options: fields of `InstanceConfig`: tasks, endpoint, api, enabled, params, headers, timeout
                (seconds for one attempt), max_concurrency, rpm, tpm, weight, priority, context_window, cannot.
        """
        key = self._key(api_key)
        where = Place(("providers", len(self._instances)))
        self._faults += unknown_keys(options, _OPTIONS, where)
        known = {option: value for option, value in options.items() if option in _OPTIONS}
        self._instances.append({"provider": provider_type, "model": model, "api_key": key, "name": name, **known})
        return self

    def add_provider(
        self, provider_type: ProviderType | str, model: str, api_key: str | Secret = "", **options: Any
    ) -> Self:
        """Do what `add_instance` does, under its name in FlyLLM for Rust."""
        return self.add_instance(provider_type, model, api_key, **options)

    def supports(self, task: str) -> Self:
        """Let the last instance serve requests of `task`."""
        return self._extend("supports", [task])

    def supports_many(self, tasks: Iterable[str]) -> Self:
        """Let the last instance serve requests of all `tasks`."""
        if isinstance(tasks, str) or not isinstance(tasks, Iterable):
            self._faults.append(f".supports_many() takes a list of task names, found {noun(tasks)}")
            return self
        return self._extend("supports_many", tasks)

    def custom_endpoint(self, url: str) -> Self:
        """Send the last instance's requests to `url`: a host, a base URL or a full path."""
        return self._set("custom_endpoint", "endpoint", url)

    def name(self, name: str) -> Self:
        """Call the last instance `name` in responses, logs and metrics."""
        return self._set("name", "name", name)

    def api(self, name: str) -> Self:
        """Let the last instance use the provider's API `name`, for example "responses"."""
        return self._set("api", "api", name)

    def enabled(self, enabled: bool) -> Self:
        """Set whether the last instance is given requests."""
        return self._set("enabled", "enabled", enabled)

    def params(self, /, **params: Any) -> Self:
        """Set default parameters of the last instance; tasks and requests override them."""
        return self._merge("params", "params", params)

    def header(self, name: str, value: str) -> Self:
        """Send a header with every request of the last instance."""
        return self._merge("header", "headers", {name: value})

    def attempt_timeout(self, seconds: float) -> Self:
        """Limit one attempt at the last instance to `seconds`."""
        return self._set("attempt_timeout", "timeout", seconds)

    def max_concurrency(self, requests: int) -> Self:
        """Keep at most `requests` in flight at the last instance."""
        return self._set("max_concurrency", "max_concurrency", requests)

    def rpm(self, requests: int) -> Self:
        """Start at most `requests` per minute at the last instance."""
        return self._set("rpm", "rpm", requests)

    def tpm(self, tokens: int) -> Self:
        """Spend at most `tokens` per minute, prompts and answers together, at the last instance."""
        return self._set("tpm", "tpm", tokens)

    def weight(self, weight: float) -> Self:
        """Give the last instance `weight` times the requests of one with weight 1, with strategies that weigh."""
        return self._set("weight", "weight", weight)

    def priority(self, tier: int) -> Self:
        """Use the last instance only while none of a lower `tier` can take a request; 0 is the default."""
        return self._set("priority", "priority", tier)

    def context_window(self, tokens: int) -> Self:
        """Tell how many `tokens` the last instance's model can take in."""
        return self._set("context_window", "context_window", tokens)

    def cannot(self, *what: str) -> Self:
        """Tell what the last instance's model cannot do although its API can: "tools", "images", "schemas" or
        "embeddings". Requests that need it are sent elsewhere."""
        return self._set("cannot", "cannot", what)

    def costs(
        self, per_million_input: float, per_million_output: float, per_million_cached: float | None = None
    ) -> Self:
        """Tell what a million tokens of prompts, and of answers, cost at the last instance, in any one currency.

        `per_million_cached` is for prompts that the provider had in its cache; None: they cost what others do.
        """
        self._set("costs", "input_cost", per_million_input)
        self._set("costs", "output_cost", per_million_output)
        return self._set("costs", "cached_input_cost", per_million_cached)

    def strategy(self, strategy: str | Strategy) -> Self:
        """Choose instances by a named strategy, or by an object of yours with a `select` method."""
        return self._setting("strategy", strategy)

    def max_retries(self, retries: int) -> Self:
        """Allow `retries` further attempts after a request's first."""
        return self._setting("max_retries", retries)

    def timeout(self, seconds: float | None) -> Self:
        """Limit a whole request, waiting and retries included, to `seconds`; None lifts the limit."""
        return self._setting("timeout", seconds)

    def default_attempt_timeout(self, seconds: float) -> Self:
        """Limit one attempt to `seconds` at all instances that have no `attempt_timeout` of their own."""
        return self._setting("attempt_timeout", seconds)

    def first_content_timeout(self, seconds: float | None) -> Self:
        """Let an attempt take at most `seconds` until a stream's first content; None lifts the limit."""
        return self._setting("first_content_timeout", seconds)

    def idle_timeout(self, seconds: float | None) -> Self:
        """Let at most `seconds` pass between two events of a stream; None lifts the limit."""
        return self._setting("idle_timeout", seconds)

    def max_stall(self, seconds: float | None) -> Self:
        """Let requests wait at most `seconds` while no instance answers any; None lifts the limit."""
        return self._setting("max_stall", seconds)

    def retry_ratio(self, ratio: float) -> Self:
        """Let every success pay for `ratio` further retries; with callers that retry themselves, 0.2."""
        return self._setting("retry_ratio", ratio)

    def max_workers(self, threads: int) -> Self:
        """Let a batch use at most `threads` threads."""
        return self._setting("max_workers", threads)

    def unsupported_params(self, reaction: str) -> Self:
        """Set what happens to a common parameter that a provider cannot take: "warn" leaves it out, "error" refuses."""
        return self._setting("unsupported_params", reaction)

    def debug_folder(self, path: str | os.PathLike[str]) -> Self:
        """Write debug files below `path`."""
        return self._setting("debug_folder", os.fspath(path) if isinstance(path, os.PathLike) else path)

    def debug_prompts(self, shown: bool) -> Self:
        """Let debug files hold prompts and answers, or only how long they are."""
        return self._setting("debug_prompts", shown)

    def metrics(self, registry: "bool | CollectorRegistry" = True) -> Self:
        """Keep Prometheus metrics, in prometheus_client's default registry or in one of yours."""
        return self._setting("metrics", registry)

    def opentelemetry(self, enabled: bool = True) -> Self:
        """Send spans and metrics to OpenTelemetry, as the application has set it up."""
        return self._setting("opentelemetry", enabled)

    def budget(self, *, cost: float | None = None, tokens: int | None = None) -> Self:
        """Refuse new requests once all together cost so much, by the instances' prices, or took so many tokens.

        None leaves a limit as it is: without.
        """
        for name, limit in (("budget_cost", cost), ("budget_tokens", tokens)):
            if limit is not None:
                self._setting(name, limit)
        return self

    def log_level(self, level: str | None) -> Self:
        """Print flyllm's log records from "debug", "info", "warning" or "error" on; None leaves logging alone."""
        return self._setting("log_level", level)

    def config(self) -> ManagerConfig:
        """Return the validated configuration, or raise one `ConfigError` with every fault."""
        draft, faults = self.draft()
        return validated(draft, faults)

    def draft(self) -> tuple[ManagerConfig, list[str]]:
        """Return what was said so far, right or wrong, and the faults that are known already."""
        instances = tuple(InstanceConfig(**values) for values in self._instances)
        return ManagerConfig(instances=instances, tasks=tuple(self._tasks), **self._settings), list(self._faults)

    def build(self) -> M:
        """Return the manager, or raise one `ConfigError` with every fault."""
        return self._factory(self.config())

    def _key(self, api_key: str | Secret) -> Any:
        if not isinstance(api_key, str):
            return api_key
        text = expand(api_key, os.environ, self._faults, ("providers", len(self._instances), "api_key"))
        return text if isinstance(text, Unresolved) else key_of(text)

    def _setting(self, name: str, value: Any) -> Self:
        self._settings[name] = value
        return self

    def _last(self, method: str) -> dict[str, Any]:
        if self._instances:
            return self._instances[-1]
        self._faults.append(f".{method}() must follow .add_instance()")
        return {}

    def _set(self, method: str, field: str, value: Any) -> Self:
        self._last(method)[field] = value
        return self

    # What is not of its kind stays as it is: the validation reports it.

    def _extend(self, method: str, tasks: Iterable[str]) -> Self:
        instance = self._last(method)
        known = instance.get("tasks", ())
        if isinstance(known, list | tuple):
            instance["tasks"] = (*known, *tasks)
        return self

    def _merge(self, method: str, field: str, values: Mapping[str, Any]) -> Self:
        instance = self._last(method)
        known = instance.get(field, {})
        if isinstance(known, Mapping):
            instance[field] = {**known, **values}
        return self
