"""The simulator as a whole: any number of simulated providers in one background thread."""

from collections.abc import Iterator
from typing import Any, Self

from flyllm.testing.instance import SimulatedProvider
from flyllm.testing.server import LoopThread
from flyllm.testing.wires.registry import PROVIDERS


class ProviderSimulator:
    """Simulated providers over real sockets, in this process, without network and without keys.

    All ten providers are there under their names: `sim["openai"]` opens a port on first use. `add` makes further
    instances of a provider, each with its own port. A context manager; `close` ends everything.

    Args:
        seed: fixes answers, ids and chances: the same seed and the same requests give the same bytes.
        host: address to listen on.
        keep: requests recorded per instance; None keeps all, which a long benchmark should not.
    """

    def __init__(self, seed: int = 0, host: str = "127.0.0.1", keep: int | None = None) -> None:
        self._seed, self._host, self._keep = seed, host, keep
        self._instances: dict[str, SimulatedProvider] = {}
        self._thread: LoopThread | None = None

    def add(self, provider: str, name: str | None = None, port: int = 0, **settings: Any) -> SimulatedProvider:
        """Open another instance of `provider`.

        Args:
            provider: one of the ten names, in any case.
            name: None takes the provider's name, or with a number behind it where that is taken.
            port: 0 lets the system choose.
            settings: fields of `Behaviour` and `Policy`, as in `SimulatedProvider.set`.

        Raises:
            ValueError: the provider is unknown or the name is taken.
            OSError: the port cannot be opened.
        """
        provider = str(provider).lower()
        if provider not in PROVIDERS:
            raise ValueError(f"Unknown provider {provider!r}; valid are {', '.join(PROVIDERS)}")
        name = name or self._free_name(provider)
        if name in self._instances:
            raise ValueError(f"There is an instance named {name!r} already")
        if self._thread is None:
            self._thread = LoopThread()
        address = (self._host, port)
        instance = SimulatedProvider(provider, name, address, self._seed, self._keep, settings, self._thread)
        self._instances[name] = instance
        return instance

    def _free_name(self, provider: str) -> str:
        name, number = provider, 1
        while name in self._instances:
            number += 1
            name = f"{provider}-{number}"
        return name

    def __getitem__(self, name: str) -> SimulatedProvider:
        if name not in self._instances and name in PROVIDERS:
            return self.add(name)
        return self._instances[name]

    def __iter__(self) -> Iterator[SimulatedProvider]:
        """Iterate over the instances opened so far."""
        return iter(tuple(self._instances.values()))

    def url(self, name: str = "openai") -> str:
        """Return the bare address of instance `name`."""
        return self[name].url

    def reset(self) -> None:
        """Bring every instance back to the state of a new one; ports stay."""
        for instance in self:
            instance.reset()

    def close(self) -> None:
        """Close all ports and connections and end the thread; nothing happens the second time."""
        for instance in self:
            instance.close()
        self._instances.clear()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
