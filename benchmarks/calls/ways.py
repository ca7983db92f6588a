"""The ways of making one call."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from benchmarks.sdks import KEY, MODEL, SDKS, Said
from flyllm import LLMManager
from flyllm.builder import ManagerBuilder

Ask = Callable[[str], Said]
"""Asks for an answer to a prompt."""


@contextmanager
def by_hand(provider: str, url: str) -> Iterator[Ask]:
    """The SDK's typed call, with one client for all calls."""
    sdk = SDKS[provider]
    with sdk.open(url, None) as client:
        yield lambda prompt: sdk.ask(client, prompt)


@contextmanager
def by_flyllm(provider: str, url: str) -> Iterator[Ask]:
    """`generate()` of a manager with one instance and no settings."""
    with _manager(provider, url).build() as manager:
        yield _asking(manager)


@contextmanager
def by_all_of_flyllm(provider: str, url: str) -> Iterator[Ask]:
    """The same with a task, a budget and Prometheus's counters, where that is installed."""
    builder = _manager(provider, url).budget(tokens=10**12)
    with metered(builder).build() as manager:
        yield _asking(manager)


def metered(builder: "ManagerBuilder[LLMManager]") -> "ManagerBuilder[LLMManager]":
    """Have the manager count in a registry of its own."""
    from prometheus_client import CollectorRegistry

    return builder.metrics(CollectorRegistry())


def _manager(provider: str, url: str) -> "ManagerBuilder[LLMManager]":
    return LLMManager.builder().add_instance(provider, MODEL, KEY, endpoint=url)


def _asking(manager: LLMManager) -> Ask:
    def ask(prompt: str) -> Said:
        response = manager.generate(prompt)
        return response.content, response.usage

    return ask


WAYS: Mapping[str, Callable[[str, str], AbstractContextManager[Ask]]] = {
    "sdk": by_hand,
    "flyllm": by_flyllm,
    "all on": by_all_of_flyllm,
}
