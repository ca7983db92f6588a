"""A manager for the bench: as a user builds it, but on a clock of the bench's.

Test-only: `assemble` takes the clock, and adapters are wrapped because attempt timeouts end at sockets, where real
seconds count.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.goodput.clock import ScaledClock
from benchmarks.goodput.server.answers import PROVIDER
from flyllm import LLMManager
from flyllm._assembly import assemble
from flyllm._clock import Clock
from flyllm.builder import ManagerBuilder
from flyllm.config.model import ManagerConfig
from flyllm.providers.base import ProviderRequest


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How the user of a scenario has configured flyllm.

    `instance` holds options of `add_instance`, the same for all. Seconds are of flyllm's clock.
    """

    workers: int
    instance: dict[str, Any] = field(default_factory=dict)
    strategy: str = "lru"
    max_retries: int = 5
    attempt_timeout: float = 180.0


class BenchManager(LLMManager):
    """A manager on a given clock."""

    def __init__(self, config: ManagerConfig, clock: Clock) -> None:
        super().__init__(config)
        self._built = assemble(config, (), clock)

    @property
    def adapters(self) -> list[Any]:
        """The adapters of all instances, by id."""
        return list(self._runtime.adapters.values())

    def wrap_adapters(self, wrap: Callable[[Any], Any]) -> None:
        """Put `wrap(adapter)` in the place of every adapter."""
        for lazy in self.adapters:
            lazy._adapter = wrap(lazy.warm())


def open_manager(settings: ClientSettings, urls: Sequence[str], clock: ScaledClock) -> BenchManager:
    """Return a manager over the providers at `urls`, on `clock`.

    Raises:
        ConfigError: this flyllm does not know an option of the scenario.
    """
    builder = ManagerBuilder(lambda config: BenchManager(config, clock))
    builder.strategy(settings.strategy).max_retries(settings.max_retries).max_workers(settings.workers)
    builder.default_attempt_timeout(settings.attempt_timeout).timeout(None)
    for number, url in enumerate(urls):
        options = {"endpoint": url, **settings.instance}
        builder.add_instance(PROVIDER, "gpt-4o-mini", "bench", name=f"i{number}", **options)
    manager = builder.build()
    manager.wrap_adapters(lambda adapter: _Rescaled(adapter, clock.speed))
    return manager


class _Rescaled:
    """An adapter whose attempt timeouts are converted to real seconds; all else is the adapter's."""

    def __init__(self, adapter: Any, speed: float) -> None:
        self._adapter, self._speed = adapter, speed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def generate(self, request: ProviderRequest, *args: Any, **options: Any) -> Any:
        """Send one request, its timeout in real seconds."""
        return self._adapter.generate(replace(request, timeout=request.timeout / self._speed), *args, **options)
