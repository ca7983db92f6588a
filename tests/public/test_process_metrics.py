"""Metrics of several processes, and of programs that have no prometheus_client."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flyllm.testing import ErrorKind, Fault, ProviderSimulator, SimulatedProvider
from tests.public.processes import HANG, ROOT, environment, run

pytest.importorskip("gunicorn")

WORKERS, REQUESTS = 4, 200
CEILING = 64
"""What an instance is given at once at most, in each process."""


class Site:
    """The application, served by several processes on one port."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(self) -> int:
        """Have a question answered; return the process that did."""
        return int(self._read("/ask"))

    def scrape(self) -> dict[str, float]:
        """Return the sum of every metric over all its labels, as whichever process is at hand shows them."""
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(self._read("/metrics")):
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        return sums

    def wait_for(self, **wanted: float | None) -> None:
        """Scrape until these sums are shown, None for no series: gauges are written a moment after what they show."""
        pause = threading.Event()
        for _ in range(int(HANG / 2 / 0.05)):
            shown = {name: self.scrape().get(f"llm_{name}") for name in wanted}
            if shown == wanted:
                return
            pause.wait(0.05)
        raise AssertionError(f"{shown} where {wanted} is due")

    def _read(self, path: str) -> str:
        with urlopen(self.url + path, timeout=HANG) as answer:
            return str(answer.read().decode())


@contextmanager
def gunicorn(folder: Path, upstream: str, *options: str) -> Iterator[Site]:
    config = ("--config=python:tests.public.metered_app", "--no-control-socket", "--graceful-timeout=1")
    workers = (f"--workers={WORKERS}", "--worker-class=gthread", "--threads=4")
    app = f"tests.public.metered_app:app_at({upstream!r})"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        command = [sys.executable, "-m", "gunicorn", "--log-level=error", *config, *workers, *options]
        process = subprocess.Popen(
            [*command, f"--bind=fd://{number}", app],
            cwd=ROOT,
            env=environment(PROMETHEUS_MULTIPROC_DIR=str(folder)),
            pass_fds=[number],
        )
        try:
            yield Site(listener.getsockname()[1])
        finally:
            process.terminate()
            process.wait(HANG)


@pytest.fixture
def upstream() -> Iterator[SimulatedProvider]:
    with ProviderSimulator() as simulator:
        yield simulator["groq"]


def ask_all(site: Site) -> tuple[int, set[int]]:
    """Ask until every worker has answered; return how often, and the workers."""
    asked, processes = 0, set[int]()
    with ThreadPoolExecutor(16) as threads:
        while asked < 20 * REQUESTS and (asked < REQUESTS or len(processes) < WORKERS):
            processes |= set(threads.map(lambda _: site.ask(), range(REQUESTS)))
            asked += REQUESTS
    assert len(processes) == WORKERS
    return asked, processes


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["each makes its manager", "made before the fork"])
def test_whichever_worker_is_scraped_shows_the_sums_of_all(
    options: tuple[str, ...], upstream: SimulatedProvider, tmp_path: Path
) -> None:
    """What the workers counted is what the provider saw; a killed one's gauges go and its counts stay."""
    upstream.set(error_rate=0.1, error=ErrorKind.SERVER_ERROR)
    with gunicorn(tmp_path, upstream.url, *options) as site:
        asked, processes = ask_all(site)
        site.wait_for(in_flight=0, concurrency_ceiling=WORKERS * CEILING, queue_length=0, provider_healthy=1)
        for _ in range(3 * WORKERS):
            shown = site.scrape()
            assert shown["llm_requests_total"] == shown["llm_request_duration_seconds_count"] == asked
            assert shown["llm_attempts_total"] == shown["llm_attempt_duration_seconds_count"] == upstream.count
            assert shown["llm_errors_total"] == shown["llm_retries_total"] == upstream.count - asked
        os.kill(processes.pop(), signal.SIGKILL)
        site.wait_for(concurrency_ceiling=(WORKERS - 1) * CEILING, requests_total=asked)
        again, _ = ask_all(site)
        site.wait_for(concurrency_ceiling=WORKERS * CEILING, requests_total=asked + again, in_flight=0)
        assert site.scrape()["llm_attempts_total"] == upstream.count


def test_a_worker_killed_in_the_midst_of_a_request_is_not_shown_as_busy(
    upstream: SimulatedProvider, tmp_path: Path
) -> None:
    """Until then it is."""
    upstream.enqueue(Fault.SILENCE)
    with gunicorn(tmp_path, upstream.url) as site, ThreadPoolExecutor(1) as thread:
        lost = thread.submit(site.ask)
        assert upstream.wait_for(lambda i: i.count == 1, timeout=HANG)
        site.wait_for(in_flight=1, concurrency_ceiling=CEILING)
        os.kill(int(upstream.requests[0].body["messages"][0]["content"]), signal.SIGKILL)
        assert isinstance(lost.exception(HANG), OSError)
        site.wait_for(in_flight=None)  # no other worker has had anything to do
        site.ask()
        site.wait_for(in_flight=0, requests_total=1, attempts_total=1)


FORKS = """
import os
from flyllm import start_metrics_server

server = start_metrics_server(0)
held, release = os.pipe()
child = os.fork()
if child == 0:
    server.close()
    os.write(1, b"closed in the child\\n")
    os.read(held, 1)
    os._exit(0)
server.close()
start_metrics_server(server.port).close()
os.write(release, b"x")
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_does_not_hold_the_servers_port() -> None:
    """Nor does closing it there wait for a thread that the child does not have."""
    done = run(sys.executable, "-c", FORKS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "closed in the child\n", "")


MANAGER = 'LLMManager.builder(){}.add_instance("openai", "m", "k-0123456789abcdef").build()'
WITHOUT = "import sys; sys.modules['prometheus_client'] = None\nfrom flyllm import LLMManager, MissingDependencyError\n"
ASKS = {
    "a manager": MANAGER.format(".metrics()"),
    "a server": "from flyllm import start_metrics_server",
}


@pytest.mark.parametrize("asks", ASKS.values(), ids=ASKS)
def test_without_prometheus_client_the_error_says_what_to_install(asks: str) -> None:
    """Metrics were asked for: they are not silently left out."""
    done = run(sys.executable, "-c", f"{WITHOUT}\ntry:\n    {asks}\nexcept MissingDependencyError as e:\n    print(e)")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == 'Metrics need prometheus-client: pip install "flyllm[metrics]"\n'


def test_a_manager_without_metrics_does_not_import_prometheus_client() -> None:
    """It costs memory and time."""
    script = (
        f"import sys\nfrom flyllm import LLMManager\n{MANAGER.format('')}\nprint('prometheus_client' in sys.modules)"
    )
    assert run(sys.executable, "-c", script).stdout == "False\n"


def test_a_folder_that_does_not_exist_is_a_clear_error(tmp_path: Path) -> None:
    """Before the first request, not at it."""
    script = f"from flyllm import ConfigError, LLMManager\ntry:\n    {MANAGER.format('.metrics()')}\n"
    script += "except ConfigError as e:\n    print(e)"
    done = run(sys.executable, "-c", script, PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "missing"))
    assert done.stdout.startswith("PROMETHEUS_MULTIPROC_DIR must name a folder that exists"), done.stderr
