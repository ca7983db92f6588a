"""The ways of asking for many answers: a batch of flyllm's, and what people write by hand around the SDKs."""

import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from queue import SimpleQueue
from typing import Any

from benchmarks.sdks import KEY, MODEL, SDKS, Pool
from flyllm import LLMManager

SHARD = 8
"""Threads that share a client where there are several."""

Run = Callable[[Sequence[str]], None]
"""Has all prompts answered; raises if one was not."""

Way = Callable[[str, int, str], AbstractContextManager[Run]]
"""Makes itself ready for the server at a URL, so many threads, and a provider."""


def manager_of(url: str, workers: int, provider: str = "openai") -> LLMManager:
    """Return a manager over the server at `url`, whose one instance bears `workers` requests at once."""
    builder = LLMManager.builder().max_workers(workers)
    return builder.add_instance(provider, MODEL, KEY, endpoint=url, max_concurrency=workers).build()


@contextmanager
def by_flyllm(url: str, workers: int, provider: str = "openai") -> Iterator[Run]:
    """A batch."""
    with manager_of(url, workers, provider) as manager:
        manager.warm()

        def run(prompts: Sequence[str]) -> None:
            for response in manager.batch_generate(prompts):
                response.raise_for_error()
                _check(response.content)

        yield run


@contextmanager
def by_shared_client(url: str, workers: int, provider: str = "openai") -> Iterator[Run]:
    """The SDK's typed calls from threads that share one client, whose pool is large enough for them."""
    sdk = SDKS[provider]
    with sdk.open(url, Pool(workers)) as client:

        def run(prompts: Sequence[str]) -> None:
            with ThreadPoolExecutor(workers) as pool:
                for text, _ in pool.map(lambda prompt: sdk.ask(client, prompt), prompts):
                    _check(text)

        yield run


@contextmanager
def by_sharded_clients(url: str, workers: int, provider: str = "openai") -> Iterator[Run]:
    """The same with a client for every `SHARD` threads."""
    with _clients(url, workers, SHARD, provider) as run:
        yield run


@contextmanager
def by_own_clients(url: str, workers: int, provider: str = "openai") -> Iterator[Run]:
    """The same with a client for each thread."""
    with _clients(url, workers, 1, provider) as run:
        yield run


@contextmanager
def _clients(url: str, workers: int, threads: int, provider: str) -> Iterator[Run]:
    """One client for so many `threads`, each with room for as many connections."""
    sdk = SDKS[provider]
    with ExitStack() as stack:
        context = ssl.create_default_context()  # reading the roots is most of what a client costs to make
        pool = Pool(threads, context)
        clients = [stack.enter_context(sdk.open(url, pool)) for _ in range(-(-workers // threads))]

        def run(prompts: Sequence[str]) -> None:
            free: SimpleQueue[Any] = SimpleQueue()
            for number in range(workers):
                free.put(clients[number // threads])
            mine = threading.local()
            with ThreadPoolExecutor(workers, initializer=lambda: setattr(mine, "client", free.get())) as pool:
                for text, _ in pool.map(lambda prompt: sdk.ask(mine.client, prompt), prompts):
                    _check(text)

        yield run


def _check(text: str | None) -> None:
    if not text:
        raise RuntimeError("an answer came without its text")
