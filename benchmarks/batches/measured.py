"""A process that measures itself and says so as JSON: `python -m benchmarks.batches.measured what arguments`."""

import gc
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.batches.engine import FunctionManager, echo, requests
from benchmarks.batches.resident import forget_peak, peak, resident
from benchmarks.batches.ways import manager_of
from flyllm import BatchProgress, GenerationRequest, LLMResponse

WARM_UP = 2_000
"""Requests of another batch before: all threads, a full window and what is only made once."""

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108

Found = dict[str, float]


def flow(count: int, threads: int) -> Found:
    """Measure a batch of the engine alone, of requests that are answered at once."""
    manager = FunctionManager(echo, threads)
    return _growth(lambda number: manager.batch_iter(requests(number)), count)


def journalled(count: int, threads: int) -> Found:
    """Measure the same with a journal."""
    manager = FunctionManager(echo, threads)
    with _folder() as folder:
        return _growth(lambda number: manager.batch_iter(requests(number), journal=Path(folder, f"{number}")), count)


def over_http(count: int, threads: int, url: str) -> Found:
    """Measure a batch over real connections, through the SDK."""
    with manager_of(url, threads) as manager:
        return _growth(lambda number: manager.batch_iter(requests(number)), count)


def queued(count: int, form: str) -> Found:
    """Measure `count` requests that wait behind one, given to `batch_generate` as a list."""
    given: list[Any] = [request.prompt if form == "text" else request for request in requests(count)]
    with _folder() as folder:
        journal = Path(folder, "journal") if form == "journal" else None
        _queue(given[:WARM_UP], None)
        return {"bytes": _queue(given, journal) / count}


def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder without a disk below it where there is one: not the disk's patience is measured."""
    return tempfile.TemporaryDirectory(dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None)


def _queue(given: list[Any], journal: Path | None) -> int:
    """Return the bytes by which this process has grown when all requests are queued."""
    measured: list[int] = []
    released = threading.Event()

    def answer(request: GenerationRequest) -> LLMResponse:
        released.wait()
        return _ANSWERED

    def watch(progress: BatchProgress) -> None:
        if progress.in_flight == len(given) and not measured:
            measured.append(resident())
            released.set()

    gc.collect()
    before = resident()
    FunctionManager(answer, 1).batch_generate(given, progress=watch, journal=journal)
    return measured[0] - before


_ANSWERED = LLMResponse("answered")


def processor(count: int, threads: int, seconds: float) -> Found:
    """Measure a batch of requests that are answered after some seconds, and a plain pool of threads doing the same."""

    def answer(request: GenerationRequest) -> LLMResponse:
        time.sleep(seconds)
        return echo(request)

    def pool() -> None:
        with ThreadPoolExecutor(threads) as executor:
            _consume(executor.map(answer, requests(count)), count)

    _consume(FunctionManager(answer, threads).batch_iter(requests(2 * threads)), 2 * threads)
    engine = _cpu(lambda: _consume(FunctionManager(answer, threads).batch_iter(requests(count)), count))
    return {"cpu": engine / count, "pool": _cpu(pool) / count}


def _growth(batch: Callable[[int], Iterable[LLMResponse]], count: int) -> Found:
    _consume(batch(WARM_UP), WARM_UP)
    gc.collect()
    forget_peak()
    before, began = resident(), time.perf_counter()
    cpu = _cpu(lambda: _consume(batch(count), count))
    wall = time.perf_counter() - began
    return {"growth": peak() - before, "resident": before, "cpu": cpu / count, "wall": wall}


def _consume(responses: Iterable[LLMResponse], count: int) -> None:
    answered = 0
    for response in responses:
        response.raise_for_error()
        answered += 1
    if answered != count:
        raise RuntimeError(f"{answered} of {count} requests were answered")


def _cpu(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


WHAT: dict[str, Callable[[list[str]], Found]] = {
    "flow": lambda given: flow(int(given[0]), int(given[1])),
    "journalled": lambda given: journalled(int(given[0]), int(given[1])),
    "over_http": lambda given: over_http(int(given[0]), int(given[1]), given[2]),
    "queued": lambda given: queued(int(given[0]), given[1]),
    "processor": lambda given: processor(int(given[0]), int(given[1]), float(given[2])),
}

if __name__ == "__main__":
    print(json.dumps(WHAT[sys.argv[1]](sys.argv[2:])), flush=True)
