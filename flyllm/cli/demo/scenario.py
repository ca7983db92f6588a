"""The demo's simulated world: ten providers of different speed, one down, one rate limited."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.table import Table
from rich.text import Text

from flyllm.cli.output import open_table
from flyllm.config.model import ManagerConfig
from flyllm.config.toml_file import config_from_toml
from flyllm.providers.registry import REGISTRY
from flyllm.request import GenerationRequest
from flyllm.testing import ErrorKind, ProviderSimulator, lognormal

DOWN = "groq"
LIMITED = "mistral"
REQUESTS_PER_MINUTE = 2
"""What the limited provider takes: far less than its share of the prompts."""

LATENCIES = {
    "openai": 0.45,
    "anthropic": 0.55,
    "google": 0.40,
    "mistral": 0.35,
    "cohere": 0.50,
    "groq": 0.15,
    "togetherai": 0.40,
    "perplexity": 0.70,
    "ollama": 0.65,
    "lmstudio": 0.60,
}
"""Seconds on average: shorter than life, in about its proportions."""

PACE = 0.02
"""Seconds between the pieces of the streamed answer."""

QUESTION = GenerationRequest("How did this answer reach me?", task="chat")
ANSWER = """\
I am a simulated model, and I come to you in pieces. A server on this machine
sends me in the format the real provider documents, the provider's official SDK
reads that, and flyllm hands you every piece as it arrives. Had my instance
refused the connection, another one would be talking now and you would not have
noticed. Only after the first words is there no way back: a stream that breaks
off then is an error, and that error carries every word you had received."""


@contextmanager
def simulated_world(seed: int) -> Iterator[ProviderSimulator]:
    """Open the ten providers, in trouble where the demo wants it."""
    with ProviderSimulator(seed=seed) as simulator:
        for provider, seconds in LATENCIES.items():
            simulator.add(provider, latency=lognormal(seconds, 0.3))
        simulator[DOWN].down()
        # Once it is found out by a refusal, as where others use the same key; after that, by what its headers say.
        simulator[LIMITED].set(rpm=REQUESTS_PER_MINUTE).enqueue(ErrorKind.RATE_LIMIT, retry_after=0.5)
        yield simulator


def shipped_config(simulator: ProviderSimulator) -> ManagerConfig:
    """Return the shipped configuration with the simulator's addresses, and keys that are keys to nothing."""
    path = Path(__file__).with_name("flyllm.toml")
    addresses = {f"FLYLLM_DEMO_{provider.upper()}": simulator.url(provider) for provider in LATENCIES}
    keys = {spec.key_variable: f"simulated-{spec.name}" for spec in REGISTRY.values() if spec.needs_key}
    return config_from_toml(path.read_text(encoding="utf-8"), str(path), environ=addresses | keys)


def prepare_stream(simulator: ProviderSimulator) -> None:
    """Let whichever provider takes the question answer it at reading speed."""
    for instance in simulator:
        instance.set(reply=ANSWER, pace=PACE)


def world_table(simulator: ProviderSimulator) -> Table:
    """Return what is listening where, and in which state."""
    table = open_table("provider", "address", "state")
    for instance in simulator:
        table.add_row(instance.provider, instance.url, _state(instance.provider))
    return table


def _state(provider: str) -> Text:
    if provider == DOWN:
        return Text("DOWN: refuses connections", "bold red")
    if provider == LIMITED:
        return Text(f"RATE LIMITED: {REQUESTS_PER_MINUTE} a minute, then 429", "bold yellow")
    return Text(f"answers in {LATENCIES[provider]:.2f} s on average")
