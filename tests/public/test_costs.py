"""What a request costs in operations: cheap, and the same on every machine. Seconds are `make bench`'s.

The bounds are a tenth above what was counted last. Where one is passed for a good reason, or much has been saved, take
the new figures: `python -m pytest tests/public/test_costs.py -rP` prints them.
"""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flyllm import LLMManager
from flyllm.testing import ProviderSimulator
from tests.public.processes import run

HEADROOM = 1.1

OWN_CALLS = {
    "openai": 266,
    "anthropic": 272,
    "google": 286,
    "mistral": 295,
    "cohere": 275,
    "groq": 266,
    "ollama": 266,
}
"""Python functions of flyllm called by one `generate()` on Python 3.11, later ones call fewer; by adapter."""

ALL_CALLS = {
    "openai": 1053,
    "anthropic": 1012,
    "google": 748,
    "mistral": 2869,
    "cohere": 641,
    "groq": 989,
    "ollama": 509,
}
"""Those of the SDK, of HTTP and of the standard library among them; they change with the versions of these."""

LOCKS = 13
"""Locks of flyllm's that one `generate()` takes."""

KEPT = 0.5
"""Blocks of memory that a request may leave behind, on average."""

IMPORTED = {
    "import flyllm": (2, 2),
    "from flyllm import LLMManager": (230, 177),
    (
        "from flyllm import LLMManager\n"
        "LLMManager.builder().add_instance('openai', 'm', 'k', endpoint='{url}').build().generate('Hi')"
    ): (1110, 205),
}
"""Modules loaded, and how many of them are flyllm's."""


@pytest.fixture(scope="module")
def simulator() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as simulator:
        yield simulator


def told(*arguments: str) -> Any:
    process = run(sys.executable, "-m", "tests.public.costs", *arguments)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.parametrize("provider", sorted(OWN_CALLS))
def test_a_request_takes_few_operations(provider: str, simulator: ProviderSimulator) -> None:
    """A function that is called costs about as much whatever it does, and threads meet at each lock."""
    found = told("generate", provider, simulator.url(provider))
    print(provider, found)
    assert found["own"] <= HEADROOM * OWN_CALLS[provider]
    assert found["calls"] <= HEADROOM * ALL_CALLS[provider]
    assert found["locks"] <= LOCKS
    assert found["blocks"] <= KEPT


@pytest.mark.parametrize("script", IMPORTED, ids=["flyllm", "LLMManager", "a call"])
def test_few_modules_are_imported(script: str, simulator: ProviderSimulator) -> None:
    """Each is read, run and kept."""
    every, own = IMPORTED[script]
    found = told("modules", script, simulator.url())
    print(found)
    assert found["own"] <= own * HEADROOM
    assert found["modules"] <= every * HEADROOM


def test_a_call_is_one_request_and_threads_open_no_more_connections_than_they_are() -> None:
    """Two hundred calls from eight threads; a connection that closes meanwhile may be opened anew."""
    with ProviderSimulator() as simulator:
        provider = simulator.add("openai")
        manager = LLMManager.builder().add_instance("openai", "m", "k", endpoint=provider.url).build()
        with manager, ThreadPoolExecutor(8) as pool:
            list(pool.map(manager.generate, ["Hi"] * 200))
        assert len(provider.requests) == 200
        assert provider.connections <= 8
