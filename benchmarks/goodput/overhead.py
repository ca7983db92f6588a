"""What flyllm itself costs in processor time: adapters are replaced by a sleep, so no SDK and no socket is counted."""

import time
from dataclasses import dataclass
from typing import Any

from benchmarks.goodput.client import ClientSettings, open_manager
from benchmarks.goodput.clock import ScaledClock
from flyllm.providers.base import Completion, ProviderRequest
from flyllm.types import TokenUsage

_INSTANCES = 4
_ROUNDS = 15
_URL = "http://127.0.0.1:1"
SETTINGS = ((20, 5, 0.1), (256, 64, 0.5), (256, 16, 0.1))
"""Threads, slots per instance, seconds of a call: a small batch, 256 threads at work, 256 with 192 of them queueing."""


@dataclass(frozen=True, slots=True)
class Overhead:
    """Microseconds of processor time per request, over all of flyllm above the adapter."""

    threads: int
    queueing: int
    microseconds: float

    def __str__(self) -> str:
        return f"{self.threads} threads, {self.queueing} of them queueing: {self.microseconds:.0f} us"


class _Asleep:
    """An adapter that answers after some seconds and costs nothing."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def generate(self, request: ProviderRequest, *args: Any, **options: Any) -> Completion:
        time.sleep(self._seconds)
        return Completion(content="", finish_reason=None, usage=TokenUsage(), model="m", headers={})

    def close(self) -> None:
        pass


def overheads() -> list[Overhead]:
    """Return the cost for each of `SETTINGS`."""
    return [_overhead(*setting) for setting in SETTINGS]


def _overhead(threads: int, slots: int, seconds: float) -> Overhead:
    settings = ClientSettings(threads, {"max_concurrency": slots})
    requests = ["0"] * (slots * _INSTANCES * _ROUNDS)
    with open_manager(settings, [_URL] * _INSTANCES, ScaledClock(1.0, 0)) as manager:
        manager.wrap_adapters(lambda _: _Asleep(seconds))
        before = time.process_time()
        responses = manager.batch_generate(requests)
        taken = time.process_time() - before
    for response in responses:
        response.raise_for_error()
    return Overhead(threads, max(0, threads - slots * _INSTANCES), 1e6 * taken / len(requests))
