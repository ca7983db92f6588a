"""flyllm itself: routing, retry, ledger, usage and metrics, over an adapter that answers at once."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import process_time
from typing import Any

from benchmarks.calls.timing import settle
from benchmarks.calls.ways import metered
from benchmarks.sdks import KEY, MODEL
from flyllm import LLMManager
from flyllm.providers.base import Completion, ProviderRequest

BAR = 60.0
"""Microseconds that all of it may take with one instance."""

INSTANCES = (1, 5)


@dataclass(frozen=True, slots=True)
class Share:
    """Microseconds of processor time per request, median, least and most of the rounds."""

    what: str
    micros: float
    least: float
    most: float
    bar: float | None = None


class _Instant:
    """An adapter that gives the answer that a real one got once."""

    def __init__(self, completion: Completion) -> None:
        self._completion = completion

    def generate(self, request: ProviderRequest) -> Completion:
        return self._completion

    def close(self) -> None: ...


@contextmanager
def instant_manager(url: str, instances: int, *, metrics: bool, **options: Any) -> Iterator[LLMManager]:
    """Return a manager whose instances give at once what the provider at `url` answered."""
    builder = LLMManager.builder()
    for number in range(instances):
        builder.add_instance("openai", MODEL, KEY, endpoint=url, name=f"i{number}", **options)
    with (metered(builder) if metrics else builder).build() as manager:
        adapters = list(manager._runtime.adapters.values())
        completion = adapters[0].generate(ProviderRequest(MODEL, [{"role": "user", "content": "Hi"}]))
        for lazy in adapters:
            lazy.close()
            lazy._adapter = _Instant(completion)  # type: ignore[assignment]
        yield manager


def shares(url: str, calls: int, rounds: int) -> list[Share]:
    """Return what it takes with and without metrics, with each of `INSTANCES`."""
    return [_share(url, count, metrics, calls, rounds) for count in INSTANCES for metrics in (True, False)]


def _share(url: str, instances: int, metrics: bool, calls: int, rounds: int) -> Share:
    with instant_manager(url, instances, metrics=metrics) as manager:
        _micros(manager, calls)
        settle()
        found = [_micros(manager, calls) for _ in range(rounds)]
    plural = f"{instances} instance{'s' if instances > 1 else ''}"
    what = f"{plural}, usage{' and metrics' if metrics else ''}"
    bar = BAR if metrics and instances == INSTANCES[0] else None
    return Share(what, median(found), min(found), max(found), bar)


def _micros(manager: LLMManager, calls: int) -> float:
    began = process_time()
    for _ in range(calls):
        manager.generate("What is the capital of France?")
    gc.collect()
    return (process_time() - began) / calls * 1e6
