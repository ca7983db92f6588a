"""An answer has a size: whatever floods in ends at the cap as a ParseError, for every adapter; memory stays flat."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyllm import LLMManager, ParseError
from flyllm.providers.registry import REGISTRY
from tests.contract.floods import FLOODS, FloodServer

ROWS = [(spec.name, api.name) for spec in REGISTRY.values() for api in spec.apis]
QUICK = ["announced", "headers", "one_header"]
"""Those that end after some KiB; the others bring 64 MiB before they do."""

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[FloodServer]:
    with FloodServer() as server:
        yield server


def manager(url: str, provider: str, api: str) -> LLMManager:
    builder = LLMManager.builder().add_instance(provider, "model-1", "k-0123456789abcdef", api=api)
    return builder.custom_endpoint(url).max_retries(0).default_attempt_timeout(50.0).build()


def flooded(server: FloodServer, flood: str, provider: str, api: str, *, streamed: bool = False) -> ParseError:
    server.sent = server.requests = 0
    with manager(f"{server.url}/{flood}", provider, api) as under_test, pytest.raises(ParseError) as caught:
        under_test.generate_stream("Hi") if streamed else under_test.generate("Hi")
    assert server.requests == 1
    return caught.value


@pytest.mark.parametrize("streamed", [False, True], ids=["call", "stream"])
@pytest.mark.parametrize("flood", QUICK)
@pytest.mark.parametrize(("provider", "api"), ROWS, ids=lambda name: name)
def test_it_ends_at_once_where_that_can_be_seen(
    server: FloodServer, provider: str, api: str, flood: str, streamed: bool
) -> None:
    """By its length or its headers."""
    error = flooded(server, flood, provider, api, streamed=streamed)
    assert ("headers exceed 64 KiB" if "header" in flood else "exceeds 64 MiB") in str(error)
    assert server.sent < 20_000_000


@pytest.mark.parametrize("flood", sorted(set(FLOODS) - set(QUICK)))
@pytest.mark.parametrize(
    ("provider", "api"),
    [("openai", "responses"), ("groq", "chat_completions"), ("cohere", "chat")],
    ids=lambda name: name,
)
def test_it_ends_at_the_cap(server: FloodServer, provider: str, api: str, flood: str) -> None:
    """One adapter for each way to the wire: SDKs on httpx2 and httpx, and the relay."""
    assert "exceeds 64 MiB" in str(flooded(server, flood, provider, api))


RESIDENT = """
import resource, sys
from flyllm import LLMManager, ParseError

url, provider, api, *floods = sys.argv[1:]
resident = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
for flood in floods:
    builder = LLMManager.builder().add_instance(provider, "model-1", "k-0123456789abcdef", api=api)
    with builder.custom_endpoint(f"{url}/{flood}").max_retries(0).default_attempt_timeout(50.0).build() as manager:
        manager.warm()
        before = resident()
        try:
            manager.generate("Hi")
        except ParseError:
            print(flood, resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux only")
@pytest.mark.parametrize(("provider", "api"), [("openai", "responses"), ("ollama", "chat")], ids=lambda name: name)
def test_memory_stays_flat(server: FloodServer, provider: str, api: str) -> None:
    """Less than 100 MB more than before, in a process of its own. Memory once taken counts to the first flood."""
    done = subprocess.run(
        [sys.executable, "-c", RESIDENT, server.url, provider, api, *FLOODS],
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    grown = dict(line.split() for line in done.stdout.splitlines())
    assert list(grown) == list(FLOODS)
    assert sum(map(int, grown.values())) < 100
