"""The three ways to put requests to the providers. Each returns one `Outcome` per request, in order."""

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.goodput.client import BenchManager
from benchmarks.goodput.scenario import Runner, Scenario
from flyllm import GenerationRequest, LLMResponse
from flyllm.providers.base import ProviderRequest


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request. `seconds` are real ones; `error` is the error's class, None for an answer."""

    text: str
    seconds: float
    error: str | None = None
    attempts: int = 1


Run = Callable[[BenchManager, Scenario, float], list[Outcome]]


def run_batch(manager: BenchManager, scenario: Scenario, limit: float) -> list[Outcome]:
    """Put all requests in one batch, given up after `limit` real seconds."""
    prompts = [str(index) for index in range(scenario.requests)]
    responses = manager.batch_generate(
        prompts, max_workers=scenario.client.workers, deadline=limit * scenario.clock_speed
    )
    return [_outcome(response, scenario) for response in responses]


def run_bare(manager: BenchManager, scenario: Scenario, limit: float) -> list[Outcome]:
    """Let as many threads call the adapters themselves, each always the same: nothing routes, nothing can fail."""
    adapters = manager.adapters
    threads = itertools.count()
    own = threading.local()

    def call(index: int) -> Outcome:
        if not hasattr(own, "adapter"):
            own.adapter = adapters[next(threads) % len(adapters)]
        began = time.monotonic()
        request = ProviderRequest("gpt-4o-mini", [{"role": "user", "content": str(index)}], timeout=600.0)
        text = own.adapter.generate(request).content
        return Outcome(text, time.monotonic() - began)

    with ThreadPoolExecutor(scenario.client.workers) as executor:
        return list(executor.map(call, range(scenario.requests)))


def run_open(manager: BenchManager, scenario: Scenario, limit: float) -> list[Outcome]:
    """Start requests at a fixed rate, whatever becomes of the earlier ones; each has a deadline of 30 s."""
    gap = 1.0 / (scenario.arrivals * scenario.speed)
    deadline = DEADLINE * scenario.clock_speed / scenario.speed

    def call(index: int) -> Outcome:
        (response,) = manager.generate_sequentially([GenerationRequest(str(index), timeout=deadline)])
        return _outcome(response, scenario)

    began = time.monotonic()
    with ThreadPoolExecutor(scenario.client.workers) as executor:
        futures = []
        for index in range(scenario.requests):
            time.sleep(max(0.0, began + index * gap - time.monotonic()))
            futures.append(executor.submit(call, index))
        return [future.result() for future in futures]


DEADLINE = 30.0
"""Of each request of an open loop, in seconds of the world."""

RUNNERS: dict[Runner, Run] = {"batch": run_batch, "bare": run_bare, "open": run_open}


def _outcome(response: LLMResponse, scenario: Scenario) -> Outcome:
    error = None if response.error is None else type(response.error).__name__
    return Outcome(response.content or "", response.duration / scenario.clock_speed, error, len(response.attempts))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of `values` do not exceed; 0.0 where there is none."""
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
