"""An application with something of everything: failures, refusals, slow answers, streams, hedges, prices, tasks."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry

from flyllm import GenerationRequest, LLMError, LLMManager, TaskDefinition, start_metrics_server
from flyllm.testing import ErrorKind, ProviderSimulator, Reply

ANSWER = Reply(
    "It depends on the day.", reasoning="Days differ.", prompt_tokens=40, cached_tokens=8, reasoning_tokens=4
)
INSTANCES = {"fast": "openai", "spare": "groq", "flaky": "togetherai", "limited": "openai", "revoked": "groq"}
"""Names, and the providers they are of: two SDKs, since each takes seconds to import on a busy machine."""

TASKS = ("chat", "urgent")
URGENT = ("fast", "spare")
"""Who does the urgent ones: the first, and the second when that one cannot, or takes long."""

WORKERS = 8


class App:
    """It serves metrics on a port of its own and, within `busy()`, sends requests without end."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._simulator = ProviderSimulator()
        self._servers = {name: self._simulator.add(kind, reply=ANSWER) for name, kind in INSTANCES.items()}
        self._servers["flaky"].set(error_rate=0.3, error=ErrorKind.SERVER_ERROR)
        self._servers["revoked"].always(ErrorKind.AUTHENTICATION)
        self.manager = self._manager()
        self.metrics = start_metrics_server(0, registry=self.registry)
        self._ending = threading.Event()
        self._traffic = threading.Thread(target=self._send_on, name="traffic")

    def _manager(self) -> LLMManager:
        builder = LLMManager.builder().metrics(self.registry)
        for task in TASKS:
            builder.define_task(TaskDefinition(task))
        for name, kind in INSTANCES.items():
            builder.add_instance(kind, f"{name}-model", "k-0123456789abcdef", name=name)
            builder.custom_endpoint(self._servers[name].url).costs(1.0, 2.0).supports("chat")
            if name in URGENT:
                builder.supports("urgent").priority(URGENT.index(name))
        return builder.build()

    def _round(self) -> None:
        """Send some requests of every kind, and wait for their end."""
        self._servers["limited"].fail(ErrorKind.RATE_LIMIT, times=1, retry_after=2.0)
        prompts = [GenerationRequest("What?", task=task) for task in ("chat", "urgent", None, "nobody's")]
        with ThreadPoolExecutor(WORKERS) as crew:
            list(crew.map(self._ask, prompts * 20))
            list(crew.map(self._read, prompts[:2] * 4))
        self._hedge()

    def _hedge(self) -> None:
        """Have an attempt take so long that a second one is made beside it."""
        self._servers["fast"].enqueue(ANSWER, latency=2.0)
        self._ask(GenerationRequest("What now?", task="urgent", hedge=True))

    def _ask(self, request: GenerationRequest) -> None:
        with suppress(LLMError):  # some are meant to fail
            self.manager.generate(request)

    def _read(self, request: GenerationRequest) -> None:
        with suppress(LLMError), self.manager.generate_stream(request) as stream:
            for _ in stream:
                pass

    def _send_on(self) -> None:
        self.manager.warm()  # or the first answers are slow, and a slow one is nothing unusual
        while not self._ending.is_set():
            self._round()

    def busy(self) -> Self:
        """Send rounds of requests until the end of the `with`."""
        self._traffic.start()
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._ending.set()
        self.manager.close(grace=0)
        if self._traffic.ident is not None:
            self._traffic.join()
        self.metrics.close()
        self._simulator.close()
