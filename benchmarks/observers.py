"""What observers cost in processor time: `python -m benchmarks.observers`.

Microseconds per healthy request (its start, its attempt and its end), for each observer by itself and for all
together, over what a request without observers takes: in all threads, and in the request's own, which for those that
work behind a thread is a queue's. They take turns in every round; shown are median, least and most of the rounds.
PROMETHEUS_MULTIPROC_DIR=<folder> measures counting in files. Observers that are not installed are left out.
"""

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, NamedTuple

from benchmarks.about import about, write_json
from flyllm.errors import MissingDependencyError
from flyllm.observability.budget import Budget
from flyllm.observability.debug_files import DebugFiles
from flyllm.observability.events import AttemptEvent, AttemptStart, RequestEvent
from flyllm.observability.logs import RequestLog
from flyllm.observability.sinks import Sinks
from flyllm.observability.spending import Spending
from flyllm.observability.usage import UsageLedger
from flyllm.request import GenerationRequest
from flyllm.types import Attempt, LLMResponse, TokenUsage

PROMPT, ANSWER = "A question of some length. " * 8, "An answer of more length than that. " * 20
INSTANCES = [("first", "openai", "gpt-4o"), ("second", "anthropic", "claude"), ("third", "mistral", "large")]

DRAINED = 60.0
"""Seconds that those behind a thread have to catch up."""


class Cost(NamedTuple):
    """Microseconds of a request: in all threads, and in its own."""

    whole: float
    own: float


def _prometheus(folder: str) -> object:
    from prometheus_client import CollectorRegistry

    from flyllm.observability.prometheus import PrometheusObserver

    snapshot = SimpleNamespace(instances=(), waiting=0, retry_tokens=100.0)
    return PrometheusObserver(lambda: snapshot, ["chat"], CollectorRegistry())


def _opentelemetry(folder: str) -> object:
    """Return it with an SDK that records everything and exports nothing: exporting is the application's."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider

    from flyllm.observability.opentelemetry import OpenTelemetryObserver

    return OpenTelemetryObserver(TracerProvider(), MeterProvider([InMemoryMetricReader()]))


Make = Callable[[str], object]

QUICK: dict[str, Make] = {
    "usage": lambda folder: UsageLedger(["chat"]),
    "budget": lambda folder: Spending(Budget(tokens=10**12, cost=1e12)),
    "log": lambda folder: RequestLog(),
    "prometheus": _prometheus,
}
SLOW: dict[str, Make] = {
    "nothing behind a thread": lambda folder: _Idle(),
    "debug files": DebugFiles,
    "opentelemetry": _opentelemetry,
}
"""Those that a manager has work behind a thread."""


class _Idle:
    """An observer that wants every event and does nothing with it."""

    def on_start(self, event: AttemptStart) -> None: ...

    def on_attempt(self, event: AttemptEvent) -> None: ...

    def on_request(self, event: RequestEvent) -> None: ...


def _events() -> list[tuple[AttemptStart, AttemptEvent, RequestEvent]]:
    """Return what requests emit, at each instance in turn, with and without a task."""
    return [
        _request(number, *instance, task=task) for number, instance in enumerate(INSTANCES) for task in (None, "chat")
    ]


def _request(
    number: int, name: str, provider: str, model: str, task: str | None
) -> tuple[AttemptStart, AttemptEvent, RequestEvent]:
    request, usage = GenerationRequest(PROMPT, task=task), TokenUsage(60, 180, 240, 20, 40)
    attempt = Attempt(
        1, number, name, provider, model, 1_700_000_000.0, 0.0, 2.5, "success", None, 200, None, "r", usage, "lru",
        0.4, 0.01,
    )  # fmt: skip
    response = LLMResponse(
        content=ANSWER, usage=usage, model=model, provider=provider, instance_id=number, instance_name=name, task=task,
        finish_reason="stop", attempts=(attempt,), duration=2.6, request_id="r", cost=0.01, id="a-1",
    )  # fmt: skip
    return (
        AttemptStart("a-1", 1, number, name, provider, model, 0.0, "lru", None, request),
        AttemptEvent(attempt, request, {"max_tokens": 500}, None, ANSWER, "a-1"),
        RequestEvent(request, response, id="a-1"),
    )


def _micros(sinks: Sinks, requests: int) -> Cost:
    """Return what a request costs."""
    events, emitter = _events(), sinks.emitter
    gc.collect()
    process, thread = time.process_time(), time.thread_time()
    for n in range(requests):
        start, attempt, request = events[n % len(events)]
        emitter.start(start)
        emitter.attempt(attempt)
        emitter.request(request)
    own = time.thread_time() - thread
    sinks.close(DRAINED)
    return Cost((time.process_time() - process) / requests * 1e6, own / requests * 1e6)


def _made(makes: dict[str, Make], folder: str) -> dict[str, object]:
    made = {}
    for name, make in makes.items():
        try:
            made[name] = make(folder)
        except (ImportError, MissingDependencyError) as error:
            print(f"{name} left out: {error}")
    return made


def _sinks(folder: str) -> dict[str, Sinks]:
    """Return what is measured; nothing at all comes first."""
    quick, slow = _made(QUICK, folder), _made(SLOW, folder)
    alone = {name: Sinks([each], []) for name, each in quick.items()}
    alone |= {name: Sinks([], [each]) for name, each in slow.items()}
    working = [each for each in slow.values() if not isinstance(each, _Idle)]
    together = {
        "these four together": Sinks(list(quick.values()), []),
        "all together": Sinks(list(quick.values()), working),
    }
    return {"": Sinks([], []), **alone, **together}


def _figures(name: str, rounds: Sequence[Cost], bare: Cost) -> dict[str, Any]:
    whole = [each.whole - bare.whole for each in rounds]
    own = median(each.own for each in rounds) - bare.own
    return {"name": name, "micros": median(whole), "least": min(whole), "most": max(whole), "own": own}


def _row(name: str, rounds: Sequence[Cost], bare: Cost) -> str:
    found = _figures(name, rounds, bare)
    return "{name:24} {micros:11.1f} {least:7.1f} {most:7.1f} {own:8.1f}".format(**found)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.observers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=2000, help="per observer and round, 3000 at most")
    parser.add_argument("--quick", action="store_true", help="three rounds: to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there as well")
    options = parser.parse_args()
    count = 3 if options.quick else options.rounds
    with tempfile.TemporaryDirectory() as folder:
        sinks = _sinks(folder)
        rounds: dict[str, list[Cost]] = {name: [] for name in sinks}
        for _ in range(count + 1):
            for name, each in sinks.items():
                rounds[name].append(_micros(each, min(options.requests, 3000)))
    nothing = rounds.pop("")[1:]
    bare = Cost(median(each.whole for each in nothing), median(each.own for each in nothing))
    print(f"{'us per request':24} {'all threads':>11} {'least':>7} {'most':>7} {'its own':>8}")
    rounds = {name: figures[1:] for name, figures in rounds.items()}  # the first round fills caches
    for name, figures in rounds.items():
        print(_row(name, figures, bare))
    found = [_figures(name, figures, bare) for name, figures in rounds.items()]
    write_json(options.json, {**about(quick=options.quick), "rows": found})


if __name__ == "__main__":
    main()
