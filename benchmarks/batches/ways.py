"""The ways of asking for many answers: a batch of flyllm's, and what people write by hand around the openai SDK."""

import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from queue import SimpleQueue
from typing import Any

import httpx2
import openai

from flyllm import LLMManager

MODEL = "some-model"
KEY = "k-0123456789"

Run = Callable[[Sequence[str]], None]
"""Has all prompts answered; raises if one was not."""

Way = Callable[[str, int], AbstractContextManager[Run]]
"""Makes itself ready for the server at a URL and so many threads."""


def manager_of(url: str, workers: int) -> LLMManager:
    """Return a manager over the server at `url`, whose one instance bears `workers` requests at once."""
    builder = LLMManager.builder().max_workers(workers)
    return builder.add_instance("openai", MODEL, KEY, endpoint=url, max_concurrency=workers).build()


@contextmanager
def by_flyllm(url: str, workers: int) -> Iterator[Run]:
    """A batch."""
    with manager_of(url, workers) as manager:
        manager.warm()

        def run(prompts: Sequence[str]) -> None:
            for response in manager.batch_generate(prompts):
                response.raise_for_error()
                _check(response.content)

        yield run


@contextmanager
def by_shared_client(url: str, workers: int) -> Iterator[Run]:
    """The SDK's typed calls from threads that share one client, whose pool is large enough for them."""
    with _client(url, workers) as client:

        def run(prompts: Sequence[str]) -> None:
            with ThreadPoolExecutor(workers) as pool:
                for text in pool.map(lambda prompt: _ask(client, prompt), prompts):
                    _check(text)

        yield run


@contextmanager
def by_own_clients(url: str, workers: int) -> Iterator[Run]:
    """The same with a client for each thread."""
    with ExitStack() as stack:
        context = ssl.create_default_context()  # reading the roots is most of what a client costs to make
        clients = [stack.enter_context(_client(url, 1, context)) for _ in range(workers)]

        def run(prompts: Sequence[str]) -> None:
            free: SimpleQueue[openai.OpenAI] = SimpleQueue()
            for client in clients:
                free.put(client)
            mine = threading.local()
            with ThreadPoolExecutor(workers, initializer=lambda: setattr(mine, "client", free.get())) as pool:
                for text in pool.map(lambda prompt: _ask(mine.client, prompt), prompts):
                    _check(text)

        yield run


def _client(url: str, connections: int, verify: Any = True) -> openai.OpenAI:
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    http = openai.DefaultHttpxClient(limits=limits, verify=verify)
    return openai.OpenAI(api_key=KEY, base_url=url + "/v1", max_retries=0, http_client=http)


def _ask(client: openai.OpenAI, prompt: str) -> str | None:
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": prompt}])
    return answer.choices[0].message.content


def _check(text: str | None) -> None:
    if not text:
        raise RuntimeError("an answer came without its text")
