"""Counting from many threads loses nothing, and a fork in the midst of it leaves no lock behind."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from prometheus_client import CollectorRegistry

from flyllm._clock import SystemClock
from flyllm.errors import RateLimitError, ServerError
from tests.concurrency.threads import together
from tests.public.processes import ROOT, environment
from tests.unit.fakes import FakeProvider, instance
from tests.unit.observability.metered import Metered, metered

THREADS, REQUESTS = 64, 10_000


class Moody:
    """Steps of a provider: every `n`th request fails."""

    def __init__(self, n: int, error: type[Exception]) -> None:
        self.asked, self.failed = 0, 0
        self._n, self._error, self._lock = n, error, threading.Lock()

    def __call__(self, request: object) -> str:
        with self._lock:
            self.asked += 1
            fails = self.asked % self._n == 0
            self.failed += fails
        if fails:
            raise self._error("x")
        return "ok"


def test_no_count_of_64_threads_is_lost() -> None:
    """Requests, attempts, tokens, errors, retries and failovers add up to what the providers saw."""
    moods = [Moody(97, ServerError), Moody(89, RateLimitError), Moody(10**9, ServerError)]
    places = [
        instance(n, FakeProvider(otherwise=mood), max_concurrency=THREADS, provider=f"p{n}")
        for n, mood in enumerate(moods)
    ]
    m = metered(*places, strategy="round_robin", clock=SystemClock())

    with ThreadPoolExecutor(THREADS) as threads:
        assert all(response.success for response in threads.map(lambda _: m.core.run(), range(REQUESTS)))
    asked, failed = sum(mood.asked for mood in moods), sum(mood.failed for mood in moods)
    assert asked > REQUESTS
    assert m.total("llm_requests_total", status="success") == m.total("llm_requests_total") == REQUESTS
    assert m.total("llm_request_duration_seconds_count") == REQUESTS
    assert m.total("llm_attempts_total", outcome="success") == asked - failed == REQUESTS
    assert m.total("llm_attempts_total", outcome="error") == m.total("llm_errors_total") == failed
    assert m.total("llm_attempt_duration_seconds_count") == m.total("llm_slot_wait_seconds_count") == asked
    assert m.total("llm_tokens_prompt_total") == 3 * REQUESTS
    assert m.total("llm_tokens_completion_total") == 2 * REQUESTS
    assert m.total("llm_rate_limits_total") == moods[1].failed
    assert m.total("llm_retries_total") == failed
    for number, mood in enumerate(moods):
        assert m.total("llm_attempts_total", instance=f"i{number}") == mood.asked
    assert m.total("llm_in_flight") == m.total("llm_queue_length") == 0


def test_no_count_is_lost_where_threads_take_turns_at_every_instruction() -> None:
    """With two managers on the same series, which are made in the midst of it."""
    registry = CollectorRegistry()
    managers = [metered(instance(0), registry=registry) for _ in range(2)]
    source = metered(instance(0))
    source.core.run()
    (attempt,), (request,) = source.core.recorder.attempts, source.core.recorder.requests

    def count(m: Metered) -> None:
        for _ in range(200):
            m.observer.on_attempt(attempt)
            m.observer.on_request(request)

    together([partial(count, m) for m in managers * 4])
    m = managers[0]
    assert m.total("llm_attempts_total") == m.total("llm_requests_total") == 1600
    assert m.total("llm_attempt_duration_seconds_count") == m.total("llm_slot_wait_seconds_count") == 1600
    assert m.total("llm_tokens_prompt_total") == 3 * 1600


FORKS = """
import os, sys, threading
from prometheus_client import generate_latest
from tests.concurrency.threads import restless
from tests.unit.fakes import instance
from tests.unit.observability.metered import Metered, metered
from flyllm.observability.prometheus import metrics_app

m = metered(instance(0, max_concurrency=1000))
stop = threading.Event()

def forever(work):
    def loop():
        while not stop.is_set():
            work()
    threading.Thread(target=loop, daemon=True).start()

app = metrics_app(m.registry)
scrape = lambda: app({"PATH_INFO": "/metrics", "REQUEST_METHOD": "GET"}, lambda *_: None)
event = m.core.recorder
m.core.run()
attempt, request = event.attempts[0], event.requests[0]

def count():
    m.observer.on_attempt(attempt)
    m.observer.on_request(request)

for work in (count, count, scrape):
    forever(work)
with restless():
    for n in range(12):
        child = os.fork()
        if child == 0:
            count()
            scrape()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
stop.set()
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_forked_while_others_count_and_scrape_can_count_and_scrape() -> None:
    """It gets no copy of a lock that a thread holds which it does not have."""
    process = subprocess.Popen(
        [sys.executable, "-c", FORKS],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.communicate(timeout=40)[0] == "done\n"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
