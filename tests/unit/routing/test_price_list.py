"""Rules of published prices: the package's own sums, looked up once, without a network, and never in the way."""

import logging
import sys
import threading
from types import SimpleNamespace
from typing import Any

import genai_prices
import pytest

from flyllm._routing.price import Price
from flyllm._routing.price_list import ListPrice, price_of
from flyllm.providers.endpoint import resolve
from flyllm.providers.registry import REGISTRY
from flyllm.types import TokenUsage
from tests.public.processes import run

USAGE = TokenUsage(1000, 100, 1100, 0, 0)
MODELS = {
    "openai": "gpt-4o-mini",
    "anthropic": "claude-sonnet-4-5",
    "google": "gemini-2.5-pro",
    "mistral": "mistral-large-latest",
    "cohere": "command-r-plus",
    "groq": "llama-3.3-70b-versatile",
    "togetherai": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "perplexity": "sonar",
}
LOCAL = {"ollama", "lmstudio"}
APIS = [(spec.name, api) for spec in REGISTRY.values() for api in spec.api_names]


def listed(provider: str, model: str | None = None, api: str | None = None) -> ListPrice:
    return ListPrice(model or MODELS.get(provider, "llama3"), resolve(REGISTRY[provider], None, api)[1])


@pytest.mark.parametrize(("provider", "api"), APIS)
def test_every_public_provider_is_found_by_its_address(provider: str, api: str) -> None:
    """A local one has no price, which is not a price of 0."""
    price = listed(provider, api=api)
    if provider in LOCAL:
        assert (price.source, price.of(USAGE)) == (None, None)
    else:
        assert price.source == f"genai-prices {genai_prices.__version__}"
        assert price.of(USAGE) is not None


@pytest.mark.parametrize(
    ("provider", "model"), [*MODELS.items(), ("perplexity", "sonar-deep-research"), ("openai", "gpt-5.4-pro")]
)
@pytest.mark.parametrize("prompt", [0, 1, 199_999, 200_000, 200_001, 272_000, 272_001, 900_000])
def test_a_cost_is_what_the_package_computes(provider: str, model: str, prompt: int) -> None:
    """With tiers that depend on the prompt's length, cached and reasoning tokens, and what a request itself costs."""
    price, known_as = listed(provider, model), {"togetherai": "together"}.get(provider, provider)
    usage = genai_prices.Usage(
        input_tokens=prompt, output_tokens=500, cache_read_tokens=prompt // 3, output_reasoning_tokens=200
    )
    theirs = genai_prices.calc_price(usage, model, provider_id=known_as)
    ours = price.of(TokenUsage(prompt, 500, prompt + 500, prompt // 3, 200))
    assert ours == pytest.approx(float(theirs.total_price), rel=1e-9)


def test_who_sends_the_bill_is_told_by_the_address() -> None:
    """A gateway of one's own has no price; one that the package knows has its own."""
    assert ListPrice("gpt-4o-mini", "http://127.0.0.1:4000/v1").source is None
    assert ListPrice("gpt-4o", "https://mine.openai.azure.com/openai/v1").source is not None
    assert ListPrice("openai/gpt-4o-mini", "https://openrouter.ai/api/v1").of(USAGE) is not None


def test_a_model_that_is_not_listed_has_no_price() -> None:
    assert (listed("openai", "no-such-model").source, listed("openai", "no-such-model").of(USAGE)) == (None, None)


def test_embeddings_have_a_price_though_their_answers_have_none() -> None:
    """It is that of the prompt; whoever has such a model write something is not told what that costs."""
    price = listed("openai", "text-embedding-3-small")
    assert price.of(TokenUsage(1_000_000, 0, 1_000_000)) == pytest.approx(0.02)
    assert price.of(USAGE) is None
    assert price.source is not None


def test_google_may_write_its_models_with_their_collection() -> None:
    assert listed("google", "models/gemini-2.5-pro").of(USAGE) == listed("google").of(USAGE)


def test_unknown_tokens_have_no_cost() -> None:
    assert listed("openai").of(TokenUsage(None, 5, 5)) is None
    assert listed("openai").of(TokenUsage(5)) is None


def test_what_is_configured_wins() -> None:
    """Also half of it, whose other half is then not known."""
    url = "https://api.openai.com/v1"
    for configured in (Price(1.0, 2.0), Price(0.0, 0.0), Price(1.0, None)):
        assert price_of(configured, "gpt-4o-mini", url) is configured
    assert isinstance(price_of(Price(), "gpt-4o-mini", url), ListPrice)


class Package:
    """A stand-in for genai-prices that counts."""

    __version__ = "9"
    Usage = genai_prices.Usage

    def __init__(self, found: Any) -> None:
        self.found, self.calls = found, 0

    def calc_price(self, *args: object, **options: object) -> Any:
        self.calls += 1
        return genai_prices.calc_price(*args, **options) if self.found is None else self.found  # type: ignore[call-overload]


def test_a_price_is_looked_up_once_and_not_before_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the first of many threads."""
    package = Package(None)
    monkeypatch.setitem(sys.modules, "genai_prices", package)
    price, barrier, costs = listed("openai"), threading.Barrier(16), []
    assert package.calls == 0

    def work() -> None:
        barrier.wait(20)
        costs.append(price.of(USAGE))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert package.calls == 1
    assert set(costs) == {0.00021}


@pytest.mark.parametrize("package", [None, SimpleNamespace(), Package(SimpleNamespace())], ids=["none", "other", "odd"])
def test_a_package_that_is_not_there_or_not_as_it_was_costs_no_request(
    package: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The price is not known then; one that is there and does not work is worth a warning, once."""
    monkeypatch.setitem(sys.modules, "genai_prices", package)
    price = listed("openai")
    with caplog.at_level(logging.WARNING, "flyllm.prices"):
        assert [price.of(USAGE), price.of(USAGE), price.source] == [None, None, None]
    assert len(caplog.records) == (package is not None)


SCRIPT = """
import sys, threading
from flyllm._routing.price_list import ListPrice
from flyllm.types import TokenUsage

def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise AssertionError(event)

sys.addaudithook(refuse)
price = ListPrice("gpt-4o-mini", "https://api.openai.com/v1")
assert "genai_prices" not in sys.modules
assert price.of(TokenUsage(1000, 100)) > 0
assert threading.active_count() == 1, threading.enumerate()
from genai_prices import data_snapshot
assert not data_snapshot.get_snapshot().from_auto_update
"""


def test_nothing_goes_to_the_network() -> None:
    """The data that comes with the package is used; its updater does not run. It is imported at the first cost."""
    done = run(sys.executable, "-W", "error", "-c", SCRIPT)
    assert done.returncode == 0, done.stderr
