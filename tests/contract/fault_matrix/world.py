"""One row's world: servers, a manager over them, requests sent in one of three ways, and the invariants at its end."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Self

from flyllm import GenerationRequest, LLMError, LLMManager, LLMResponse
from flyllm._assembly import assemble
from flyllm.observability.events import Observer
from flyllm.testing import Call, ProviderSimulator, SimulatedProvider
from tests.contract.fault_matrix import invariants
from tests.contract.fault_matrix.clock import FastClock
from tests.contract.fault_matrix.invariants import CANARY, Result, echo
from tests.contract.fault_matrix.raw import RawServer

WAYS = ("generate", "batch", "stream")
FLEET = ("openai", "groq", "anthropic")
"""Who stands for all providers: two HTTP libraries, two wires. The adapters' own cases are in `test_matrix.py`."""

SPEED = 20.0
"""How much faster a world's clock runs where a test does not say: pauses shrink, socket timeouts do not."""

STILL = 0.01
"""The speed of a clock on which nobody's cool-down ends during a test, however long a busy machine takes for it."""

PATIENCE = 300.0
"""Real seconds of a request's deadline and of `max_stall` where a test sets none: it is not about being late."""

Part = str | RawServer


class World:
    """Instances over simulated providers (`World("openai", "groq")`, or `World(3)`: so many of the fleet).

    Args:
        parts: names of providers, raw servers, which stand for an OpenAI, or URLs, under which nobody of ours is.
        speed: of the manager's clock.
        echoes: whether answers are checked to be `answer_to` their prompts; not where a test scripts its own.
        resends: wire requests that may be missing in a ledger, per request.
        each, only: options of all instances, and of single ones by position.
        observers, settings: the manager's; a setting is a method of its builder.
    """

    def __init__(
        self,
        *parts: Part | int,
        speed: float = SPEED,
        echoes: bool = True,
        resends: int = 0,
        each: Mapping[str, Any] | None = None,
        only: Mapping[int, Mapping[str, Any]] | None = None,
        observers: Sequence[Observer] = (),
        **settings: Any,
    ) -> None:
        self._threads = invariants.threads_now()
        self._echoes, self._resends, self._asked = echoes, resends, 0
        self.results: list[Result] = []
        self._log = _Log()
        self.clock = FastClock(speed)
        self.simulator = ProviderSimulator()
        every = [part for given in parts for part in (FLEET[:given] if isinstance(given, int) else (given,))]
        self.servers: list[Any] = [self._server(part) for part in every]
        self.manager = self._build(every, each or {}, only or {}, observers, settings)

    def _server(self, part: Part) -> "SimulatedProvider | RawServer | None":
        if isinstance(part, RawServer):
            return part
        return None if "://" in part else self.simulator.add(part, reply=_reply)

    def _build(
        self,
        parts: Sequence[Part],
        each: Mapping[str, Any],
        only: Mapping[int, Mapping[str, Any]],
        observers: Sequence[Observer],
        settings: Mapping[str, Any],
    ) -> LLMManager:
        builder = LLMManager.builder(*observers)
        for number, (part, server) in enumerate(zip(parts, self.servers, strict=True)):
            provider = part if isinstance(server, SimulatedProvider) else "openai"
            url = server.url if server is not None else part
            options = {"endpoint": url, "model": "model-1", **each, **only.get(number, {})}
            builder.add_instance(provider, options.pop("model"), f"sk-CANARY{number}-{CANARY}{number}", **options)
        patience = PATIENCE * max(1.0, self.clock.speed)
        for name, value in {"timeout": patience, "max_stall": patience, **settings}.items():
            getattr(builder, name)(value)
        return with_clock(builder.build(), self.clock, observers)

    # ---- requests

    def send(self, way: str, n: int = 1, *, workers: int = 1, **request: Any) -> list[Result]:
        """Send `n` requests with fresh prompts in one `way`, `workers` at a time; return their results in order."""
        first, self._asked = self._asked, self._asked + n
        requests = [GenerationRequest(f"request-{first + i:04d}", **request) for i in range(n)]
        if way == "batch":
            results = self._batch(requests, workers)
        else:
            one = self.generate if way == "generate" else self.stream
            results = _each(one, requests, workers)
        self.results += results
        return results

    def generate(self, request: GenerationRequest) -> Result:
        """Make one plain call."""
        began = time.monotonic()
        try:
            response = self.manager.generate(request)
        except LLMError as error:
            return Result(request.prompt, "", None, error, time.monotonic() - began)
        return _result(request, response, time.monotonic() - began)

    def stream(self, request: GenerationRequest) -> Result:
        """Read one stream whole, or as far as it goes."""
        began, text = time.monotonic(), ""
        try:
            with self.manager.generate_stream(request) as stream:
                for chunk in stream:
                    text += chunk.content
            return Result(request.prompt, text, stream.response, None, time.monotonic() - began)
        except LLMError as error:
            return Result(request.prompt, text, None, error, time.monotonic() - began)

    def _batch(self, requests: list[GenerationRequest], workers: int) -> list[Result]:
        seen: list[int] = []
        responses = self.manager.batch_generate(
            requests, max_workers=workers, on_result=lambda index, _: seen.append(index)
        )
        assert sorted(seen) == list(range(len(requests)))
        return [_result(q, r, r.duration / self.clock.speed) for q, r in zip(requests, responses, strict=True)]

    # ---- what happened

    @property
    def wire(self) -> int:
        """Requests that the servers read."""
        return sum(server.count for server in self.servers if server is not None)

    @property
    def failures(self) -> list[Result]:
        """Results without an answer."""
        return [result for result in self.results if not result.ok]

    @property
    def log(self) -> list[str]:
        """What was logged."""
        return self._log.lines

    def tries(self, instance: int) -> int:
        """How often the ledgers say that an instance was tried, sent or not."""
        return sum(attempt.instance_id == instance for r in self.results for attempt in r.attempts)  # type: ignore[attr-defined]

    def gaps(self, server: int = 0) -> list[float]:
        """The manager's seconds between the requests that reached a server."""
        times = [request.time for request in self.servers[server].requests]
        return [(later - earlier) * self.clock.speed for earlier, later in pairwise(times)]

    def until(self, way: str, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Send requests, one by one, until a condition holds, at most for so many real seconds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not come to pass"
            self.send(way)
            time.sleep(0.01)

    # ---- the end

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self._log)
        self._level = logging.getLogger("flyllm").level
        logging.getLogger("flyllm").setLevel(logging.DEBUG)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._check()
        finally:
            logging.getLogger().removeHandler(self._log)
            logging.getLogger("flyllm").setLevel(self._level)
            self.manager.close(grace=0)
            self.simulator.close()

    def _check(self) -> None:
        invariants.one_result_each(self.results, self._asked)
        invariants.none_twice(self.results, self._wires, self._resends)
        if self._echoes:
            invariants.in_order(self.results)
        self.manager.close(grace=0)
        invariants.released(self.manager, self._threads, [s.port for s in self.servers if s is not None])
        invariants.no_key(self._texts())

    def _wires(self, prompt: str) -> int:
        needle = prompt.encode()
        return sum(needle in request.raw for s in self.servers if s is not None for request in s.requests)

    def _texts(self) -> Iterator[str]:
        yield from invariants.shown(self.results)
        yield from self._log.lines
        yield repr(self.manager) + repr(self.manager.instances)


class _Log(logging.Handler):
    """Keeps what is logged: by flyllm all, by others from INFO on."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("flyllm") or record.levelno >= logging.INFO:
            self.lines.append(self.format(record))


def with_clock(manager: LLMManager, clock: FastClock, observers: Sequence[Observer] = ()) -> LLMManager:
    """Return `manager` with its parts wired anew around `clock`, which no public door takes."""
    manager._built = assemble(manager._config, observers, clock)
    return manager


def _reply(call: Call) -> str:
    return echo(call.prompt)


def _result(request: GenerationRequest, response: LLMResponse, seconds: float) -> Result:
    return Result(request.prompt, response.content, response, response.error, seconds)


def _each(one: Callable[[GenerationRequest], Result], requests: list[GenerationRequest], workers: int) -> list[Result]:
    if workers == 1:
        return [one(request) for request in requests]
    with ThreadPoolExecutor(workers, thread_name_prefix="fault-matrix") as pool:
        return list(pool.map(one, requests))
