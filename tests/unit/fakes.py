"""Fakes for tests of the core: a clock moved by hand, a scripted provider, and the real core wired over them."""

import heapq
import itertools
import math
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from flyllm._clock import Clock
from flyllm._execution.attempt import Attempts
from flyllm._execution.call import Call
from flyllm._execution.job import Job
from flyllm._execution.loop import AttemptLoop
from flyllm._execution.patience import StreamLimits
from flyllm._execution.reaper import Reaper
from flyllm._execution.stream import ResponseStream
from flyllm._execution.streams import Streams
from flyllm._resilience.deadline import Deadline
from flyllm._routing.instance import Instance
from flyllm._routing.lease import Report
from flyllm._routing.pool import Pool
from flyllm._routing.route import Route
from flyllm._routing.strategies import Strategy, strategy_named
from flyllm._scope import Scope
from flyllm.errors import LLMError
from flyllm.observability.events import AttemptEvent, AttemptStart, Emitter, InstanceEvent, RequestEvent
from flyllm.observability.usage import UsageLedger
from flyllm.providers.base import ApiSpec, Completion, Delta, ProviderRequest
from flyllm.providers.capabilities import FORCED_TOOLS, JSON, JSON_BESIDE_TOOLS, SCHEMAS, TOOLS
from flyllm.request import GenerationRequest
from flyllm.structured import read_form
from flyllm.tasks import TaskDefinition
from flyllm.types import LLMResponse, ModelInfo, TokenUsage

ALL_PARAMS = {
    name: name
    for name in (
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "seed",
        "presence_penalty",
        "frequency_penalty",
    )
}


USAGE = TokenUsage(3, 2, 5)


class ManualClock:
    """A `Clock` that stands still. `advance` and `wait` move it, and run on the way what `at` put on the agenda."""

    def __init__(self, seed: int = 0) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self.draws: list[tuple[float, float]] = []
        self._random = random.Random(seed)
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now

    def uniform(self, low: float, high: float) -> float:
        self.draws.append((low, high))
        return self._random.uniform(low, high)

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Run `action` when `seconds` from now have passed."""
        heapq.heappush(self._agenda, (self.now + seconds, next(self._order), action))

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.wait(threading.Event(), seconds)

    def wait(self, event: threading.Event, timeout: float) -> bool:
        self.waits.append(timeout)
        end = self.now + timeout
        while not event.is_set():
            if not self._agenda or self._agenda[0][0] > end:
                assert end != math.inf, "this would wait for ever"
                self.now = end
                return event.is_set()
            self.now, _, action = heapq.heappop(self._agenda)
            action()
        return True


class FakeStream:
    """A `DeltaStream` over scripted deltas; an exception among them is raised in its place."""

    def __init__(self, script: Iterable[Any], request_id: str | None = "stream-1") -> None:
        self._script = iter(script)
        self.headers: Mapping[str, str] = {}
        self.request_id = request_id
        self.limits: list[float] = []
        self.closed = 0
        self.read = 0

    def __iter__(self) -> Iterator[Delta]:
        return self

    def __next__(self) -> Delta:
        step = next(self._script)
        self.read += 1
        if callable(step):
            step = step()
        if isinstance(step, BaseException):
            raise step
        assert isinstance(step, Delta)
        return step

    def limit(self, seconds: float) -> None:
        self.limits.append(seconds)

    def close(self) -> None:
        self.closed += 1


class FakeProvider:
    """A `Provider` that plays a script, one step per request, and says "ok" once that is used up.

    A step is an answer (text or `Completion`), an exception to raise, a function of the request that returns either,
    or for a stream the list of its deltas. `otherwise` replaces the "ok".
    """

    def __init__(self, *script: Any, otherwise: Any = "ok") -> None:
        self.requests: list[ProviderRequest] = []
        self.streams: list[FakeStream] = []
        self.closed = 0
        self._script = list(script)
        self._otherwise = otherwise
        self._lock = threading.Lock()

    def generate(self, request: ProviderRequest) -> Completion:
        step = self._next(request)
        return completion(step) if isinstance(step, str) else step

    def stream(self, request: ProviderRequest) -> FakeStream:
        step = self._next(request)
        if isinstance(step, str):
            step = [Delta(content=step), Delta(finish_reason="stop", usage=TokenUsage(3, 2, 5))]
        stream = step if isinstance(step, FakeStream) else FakeStream(step)
        self.streams.append(stream)
        return stream

    def list_models(self, timeout: float) -> list[ModelInfo]:
        return []

    def close(self) -> None:
        self.closed += 1

    def _next(self, request: ProviderRequest) -> Any:
        with self._lock:
            self.requests.append(request)
            step = self._script.pop(0) if self._script else self._otherwise
        if callable(step):
            step = step(request)
        if isinstance(step, BaseException):
            raise step
        return step


def completion(content: str = "ok", usage: TokenUsage = USAGE, **fields: Any) -> Completion:
    return Completion(content=content, finish_reason="stop", usage=usage, request_id="call-1", **fields)


def api(params: Mapping[str, str] = ALL_PARAMS) -> ApiSpec:
    return ApiSpec(
        "chat",
        "nowhere:Nothing",
        "/chat",
        "/v1",
        params,
        can=frozenset({TOOLS, FORCED_TOOLS, SCHEMAS, JSON, JSON_BESIDE_TOOLS}),
    )


def instance(number: int, adapter: Any = None, **fields: Any) -> Instance:
    """An instance with id `number` at provider openai, every one with a model of its own."""
    values: dict[str, Any] = {
        "id": number,
        "name": f"i{number}",
        "provider": "openai",
        "model": f"m{number}",
        "tasks": frozenset(),
        "api": api(),
        "adapter": adapter if adapter is not None else FakeProvider(),
    }
    return Instance(**{**values, **fields})


class Recorder:
    """An observer that keeps all events."""

    def __init__(self) -> None:
        self.starts: list[AttemptStart] = []
        self.attempts: list[AttemptEvent] = []
        self.requests: list[RequestEvent] = []
        self.instances: list[InstanceEvent] = []

    def on_start(self, event: AttemptStart) -> None:
        self.starts.append(event)

    def on_instance(self, event: InstanceEvent) -> None:
        self.instances.append(event)

    def on_attempt(self, event: AttemptEvent) -> None:
        self.attempts.append(event)

    def on_request(self, event: RequestEvent) -> None:
        self.requests.append(event)


@dataclass
class Core:
    """The core over fake providers: what `_assembly` wires, without configuration."""

    clock: Any
    pool: Pool
    call: Call
    streams: Streams
    reaper: Reaper
    usage: UsageLedger
    recorder: Recorder
    closed: threading.Event
    tasks: dict[str, TaskDefinition] = field(default_factory=dict)

    def job(self, request: GenerationRequest | str = "Hi", timeout: float | None = None) -> Job:
        if isinstance(request, str):
            request = GenerationRequest(request)
        task = self.tasks.get(request.task or "")
        deadline = Deadline.after(self.clock, timeout)
        form, now = read_form(request.response_format), self.clock.monotonic()
        return Job(request, task, deadline, Route(request.task), now, form=form, id="r1")

    def run(self, request: GenerationRequest | str = "Hi", timeout: float | None = None) -> LLMResponse:
        return self.call.run(self.job(request, timeout))

    def stream(self, request: GenerationRequest | str = "Hi", timeout: float | None = None) -> ResponseStream:
        return self.streams.open(self.job(request, timeout))

    def close(self) -> None:
        self.closed.set()
        self.pool.close()
        self.reaper.stop()

    def disable(self, number: int) -> None:
        self.pool.set_enabled(number, enabled=False)

    def enable(self, number: int) -> None:
        self.pool.set_enabled(number, enabled=True)


def core(
    *instances: Instance,
    strategy: str | Strategy = "first",
    max_retries: int = 5,
    max_stall: float = 300.0,
    unsupported_params: Literal["warn", "error"] = "warn",
    clock: Clock | None = None,
    observers: Iterable[object] = (),
    tasks: Iterable[TaskDefinition] = (),
) -> Core:
    """Wire a core over `instances`. The strategy "first" is ours and takes the lowest id, so that tests can tell."""
    clock = clock or ManualClock()
    foreign = not isinstance(strategy, str)
    chosen: Any = strategy if foreign else First() if strategy == "first" else strategy_named(str(strategy), clock)
    pool = Pool(chosen, clock, foreign_strategy=foreign, max_stall=max_stall)
    for item in instances:
        pool.add(item, enabled=True)
    usage, recorder, closed, reaper = UsageLedger(), Recorder(), threading.Event(), Reaper()
    emitter = Emitter([usage, recorder, *observers])
    loop = AttemptLoop(Attempts(pool, clock, emitter, unsupported_params), pool, clock, max_retries)
    return Core(
        clock=clock,
        pool=pool,
        call=Call(loop, clock, emitter),
        streams=Streams(loop, clock, emitter, reaper, Scope(), StreamLimits()),
        reaper=reaper,
        usage=usage,
        recorder=recorder,
        closed=closed,
        tasks={task.name: task for task in tasks},
    )


GOOD = Report.success(1.0, USAGE, None)
"""The report of an answer after a second."""


def failed(error: LLMError, seconds: float = 0.1) -> Report:
    """The report of an attempt that failed."""
    return Report.failure(seconds, error)


class First:
    """A strategy that takes the lowest id."""

    name = "first"

    def select(self, candidates: Any) -> Any:
        return min(candidates, key=lambda candidate: candidate.id)
