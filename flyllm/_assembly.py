"""The one file that wires the layers: from a validated configuration to a running system."""

import itertools
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from flyllm._clock import Clock, SystemClock
from flyllm._execution.attempt import Attempts
from flyllm._execution.call import Call
from flyllm._execution.closing import CUT, wind_down
from flyllm._execution.embedding import Embeddings
from flyllm._execution.jobs import Jobs
from flyllm._execution.loop import AttemptLoop
from flyllm._execution.patience import StreamLimits
from flyllm._execution.reaper import Reaper
from flyllm._execution.streams import Streams
from flyllm._fork import imports
from flyllm._routing.instance import DEFAULT_CONCURRENCY, Instance
from flyllm._routing.pool import Pool
from flyllm._routing.price import Price
from flyllm._routing.price_list import price_of
from flyllm._routing.strategies import strategy_named
from flyllm._scope import Scope
from flyllm.config.model import InstanceConfig, ManagerConfig
from flyllm.errors import ManagerClosedError
from flyllm.observability.budget import Budget
from flyllm.observability.console_log import use_logging_if_wanted
from flyllm.observability.debug_files import DebugFiles
from flyllm.observability.logs import RequestLog
from flyllm.observability.sinks import Sinks, check_observer
from flyllm.observability.spending import Spending
from flyllm.observability.usage import UsageLedger
from flyllm.providers.base import Provider, ProviderSettings
from flyllm.providers.body_params import for_model
from flyllm.providers.endpoint import resolve
from flyllm.providers.lazy import LazyProvider
from flyllm.providers.registry import provider_spec

if TYPE_CHECKING:
    from flyllm.observability.prometheus import PrometheusObserver

logger = logging.getLogger("flyllm.manager")


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts of a running manager. `closed` is set once, when it closes; `scope` is all that its adapters do."""

    config: ManagerConfig
    clock: Clock
    pool: Pool
    jobs: Jobs
    call: Call
    streams: Streams
    embeddings: Embeddings
    usage: UsageLedger
    spending: Spending
    metrics: "PrometheusObserver | None"
    sinks: Sinks
    reaper: Reaper
    closed: threading.Event
    scope: Scope
    numbers: "itertools.count[int]"
    adapters: dict[int, LazyProvider]
    names: set[str]

    def add(self, config: InstanceConfig) -> int:
        """Make an instance of `config`, open it for requests, and return its id."""
        number = next(self.numbers)
        settings = _settings(config)
        adapter = self.adapters[number] = LazyProvider(settings, self.scope)
        name = self._name(number, config)
        instance = _instance(number, name, config, settings, adapter, self.config.attempt_timeout)
        self.usage.add(number, name, instance.provider, instance.model, instance.price)
        self.pool.add(instance, enabled=config.enabled)
        return number

    def close(self, grace: float) -> None:
        """Take no more requests, end those under way within `grace` seconds, and release everything."""
        self.closed.set()
        until = self.clock.monotonic() + grace
        wind_down(self.pool, self.scope, self.clock, grace)
        for adapter in list(self.adapters.values()):
            try:
                adapter.close()
            except Exception as exc:  # an SDK that cannot close must not keep the others open
                logger.warning("connections could not be closed: %s", type(exc).__name__)
        self.reaper.stop()
        if self.metrics is not None:
            self.metrics.close()
        self.sinks.close(max(CUT, until - self.clock.monotonic()))

    def _name(self, number: int, config: InstanceConfig) -> str:
        """Return a name of its own also for the second key of one model, so that ledger and logs tell them apart."""
        name = f"{config.provider}/{config.model}"
        name = config.name or (f"{name}#{number}" if name in self.names else name)
        self.names.add(name)
        return name


def assemble(config: ManagerConfig, observers: Sequence[object] = (), clock: Clock | None = None) -> Runtime:
    """Wire a manager. Starts no thread and opens no connection."""
    use_logging_if_wanted(config.log_level)
    clock = clock or SystemClock()
    pool = _pool(config, clock)
    usage = UsageLedger([task.name for task in config.tasks], clock)
    spending = Spending(Budget(config.budget_tokens, config.budget_cost))
    metrics = _metrics(config, pool)
    quick = [usage, spending, RequestLog(), *([] if metrics is None else [metrics])]
    sinks = Sinks(quick, _behind_threads(config, observers))
    emitter = sinks.emitter
    closed = threading.Event()
    attempts = Attempts(pool, clock, emitter, config.unsupported_params, spending.refuse_if_spent)
    loop = AttemptLoop(attempts, pool, clock, config.max_retries)
    limits = StreamLimits(config.first_content_timeout, config.idle_timeout)
    reaper = Reaper()
    scope = Scope(lambda: ManagerClosedError("the manager was closed while the request was under way"))
    runtime = Runtime(
        config=config,
        clock=clock,
        pool=pool,
        jobs=Jobs(clock, config.tasks, config.timeout),
        call=Call(loop, clock, emitter),
        streams=Streams(loop, clock, emitter, reaper, scope, limits),
        embeddings=Embeddings(loop, clock, emitter),
        usage=usage,
        spending=spending,
        metrics=metrics,
        sinks=sinks,
        reaper=reaper,
        closed=closed,
        scope=scope,
        numbers=itertools.count(),
        adapters={},
        names=set(),
    )
    for instance in config.instances:
        runtime.add(instance)
    return runtime


def _metrics(config: ManagerConfig, pool: Pool) -> "PrometheusObserver | None":
    if config.metrics is False:
        return None
    registry = None if config.metrics is True else config.metrics
    make: type[PrometheusObserver] = _extra("flyllm.observability.prometheus").PrometheusObserver
    return make(pool.snapshot, [task.name for task in config.tasks], registry)


def _behind_threads(config: ManagerConfig, observers: Sequence[object]) -> list[object]:
    """Return the observers that may be slow: ours, then the user's."""
    for observer in observers:
        check_observer(observer)
    ours: list[object] = []
    if config.debug_folder:
        ours.append(DebugFiles(config.debug_folder, prompts=config.debug_prompts))
    if config.opentelemetry:
        ours.append(_extra("flyllm.observability.opentelemetry").OpenTelemetryObserver())
    return [*ours, *observers]


def _extra(package: str) -> Any:
    """Return a package of ours that needs one of an extra, which is imported only where it is wanted."""
    with imports:
        return import_module(package)


def _pool(config: ManagerConfig, clock: Clock) -> Pool:
    foreign = not isinstance(config.strategy, str)
    strategy = strategy_named(config.strategy, clock) if isinstance(config.strategy, str) else config.strategy
    return Pool(
        strategy,
        clock,
        foreign_strategy=foreign,
        max_stall=config.max_stall,
        retry_ratio=config.retry_ratio,
    )


def _settings(config: InstanceConfig) -> ProviderSettings:
    spec = provider_spec(config.provider)
    api, base_url = resolve(spec, config.endpoint, config.api)
    return ProviderSettings(
        spec=spec,
        api=for_model(api, config.model),
        api_key=config.api_key,
        base_url=base_url,
        headers=config.headers,
        connections=config.max_concurrency or DEFAULT_CONCURRENCY,
    )


def _instance(
    number: int,
    name: str,
    config: InstanceConfig,
    settings: ProviderSettings,
    adapter: Provider,
    attempt_timeout: float,
) -> Instance:
    return Instance(
        id=number,
        name=name,
        provider=settings.spec.name,
        model=config.model,
        tasks=frozenset(config.tasks),
        api=settings.api,
        adapter=adapter,
        params=config.params,
        max_concurrency=settings.connections,
        attempt_timeout=config.timeout or attempt_timeout,
        rpm=config.rpm,
        tpm=config.tpm,
        weight=config.weight,
        priority=config.priority,
        context_window=config.context_window,
        cannot=config.cannot,
        price=price_of(
            Price(config.input_cost, config.output_cost, config.cached_input_cost), config.model, settings.base_url
        ),
    )
