"""A process that measures itself and says so as JSON: `python -m benchmarks.footprint.measured what arguments`."""

import gc
import json
import ssl
import sys
import threading
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from benchmarks.batches.resident import IS_TOLD, resident
from benchmarks.processes import server
from flyllm import LLMManager
from flyllm.providers.registry import REGISTRY

ROUNDS = 9
SLEEP = 0.1
"""Seconds of a call from 256 threads; fewer make shorter ones, so that as many begin in a second."""
MOST_THREADS = 256
INSTANCES = 4

_NAMES = list(REGISTRY)
_SDKS = ("openai", "anthropic", "google.genai", "mistralai", "cohere", "groq", "ollama", "httpx", "httpx2")

Found = dict[str, float]
Builder = Callable[[], LLMManager]


def _builder(instances: int, strategy: str = "lru", places: int = 64) -> Builder:
    builder = LLMManager.builder().strategy(strategy).max_workers(8)
    for number in range(instances):
        name, model = f"i{number}", f"model-{number}"
        builder.add_instance(_NAMES[number % len(_NAMES)], model, "k", name=name, max_concurrency=places)
    return builder.build


def build(instances: int) -> Found:
    """Measure building a manager, after a small one: what is imported for it counts as import."""
    _builder(1)().close()
    builder = _builder(instances)
    before, began = resident() if IS_TOLD else 0, time.process_time()
    with builder() as manager:
        taken = time.process_time() - began
        grown = (resident() if IS_TOLD else 0) - before
        made = sum(lazy._adapter is not None for lazy in manager._runtime.adapters.values())
        sdks = sum(
            name in sys.modules for name in ("openai", "anthropic", "cohere", "groq", "ollama", "httpx", "httpx2")
        )
    return {"seconds": taken, "bytes": grown, "clients": made, "sdks": sdks}


def select(instances: int, strategy: str, requests: int) -> Found:
    """Measure taking a place of a pool's and giving it back."""
    from flyllm._resilience.deadline import Deadline
    from flyllm._routing.lease import Report
    from flyllm._routing.route import Route
    from flyllm.types import TokenUsage

    report = Report.success(0.1, TokenUsage(10, 20, 30), None)
    with _builder(instances, strategy)() as manager:
        pool, deadline = manager._runtime.pool, Deadline.after(manager._runtime.clock, None)

        def some() -> float:
            began = time.process_time()
            for _ in range(requests):
                pool.acquire(Route(None), deadline).close(report)
            return (time.process_time() - began) / requests

        some()
        return {"seconds": median(some() for _ in range(ROUNDS))}


def schedule(threads: int, places: int, requests: int) -> Found:
    """Measure requests from so many threads over adapters that only sleep; `places` in all, a multiple of 4.

    `bare` is what threads take that only sleep.
    """
    from flyllm.providers.base import Completion, ProviderRequest

    class Asleep:
        def generate(self, request: ProviderRequest | None) -> Completion:
            time.sleep(SLEEP * threads / MOST_THREADS)
            return Completion(content="", finish_reason=None)

        def close(self) -> None: ...

    asleep, each = Asleep(), requests // threads
    bare = _crowd(threads, each, lambda: asleep.generate(None))
    with _builder(INSTANCES, places=places // INSTANCES)() as manager:
        for lazy in manager._runtime.adapters.values():
            lazy._adapter = asleep  # type: ignore[assignment]
        manager.generate("Hi")
        taken = _crowd(threads, each, lambda: manager.generate("What is the capital of France?"))
    return {"seconds": taken - bare, "bare": bare}


def _crowd(threads: int, requests: int, ask: Callable[[], object]) -> float:
    """Return the processor seconds of a request, of which each thread makes so many."""

    ready = threading.Barrier(threads + 1)

    def some() -> None:
        ready.wait()
        for _ in range(requests):
            ask()

    crowd = [threading.Thread(target=some) for _ in range(threads)]
    for each in crowd:
        each.start()
    gc.collect()
    began = time.process_time()
    ready.wait()
    for each in crowd:
        each.join()
    return (time.process_time() - began) / (requests * threads)


def contexts(providers: Sequence[str]) -> Found:
    """Count the TLS contexts that read roots of trust while two instances of each provider are used."""
    made = [0]
    load, default = ssl.SSLContext.load_verify_locations, ssl.SSLContext.set_default_verify_paths

    def reading(*args: object, **options: object) -> None:
        made.append(id(args[0]))
        load(*args, **options)  # type: ignore[arg-type]

    def defaulting(context: ssl.SSLContext) -> None:
        made.append(id(context))
        default(context)

    context: Any = ssl.SSLContext
    context.load_verify_locations, context.set_default_verify_paths = reading, defaulting
    with server(*(f"{name}:0" for name in providers)) as process:
        urls, builder = process.hear(), LLMManager.builder()
        for name in [*providers, *providers]:
            builder.add_instance(name, "m", "k", endpoint=urls[f"{name}:0"])
        with builder.build() as manager:
            used = {manager.generate("Hi").instance_id for _ in range(2 * len(providers))}  # in turn
    if len(used) != 2 * len(providers):
        raise RuntimeError(f"only instances {used} were asked")
    return {"contexts": len(set(made)) - 1}


WHAT: dict[str, Callable[[list[str]], Found]] = {
    "build": lambda given: build(int(given[0])),
    "select": lambda given: select(int(given[0]), given[1], int(given[2])),
    "schedule": lambda given: schedule(int(given[0]), int(given[1]), int(given[2])),
    "contexts": contexts,
}

if __name__ == "__main__":
    print(json.dumps(WHAT[sys.argv[1]](sys.argv[2:])), flush=True)
