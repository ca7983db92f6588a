"""A model to begin with at each provider, and the variables in which people keep its key."""

from collections.abc import Mapping
from dataclasses import dataclass

from flyllm.providers.registry import REGISTRY

# Of 2026-11: small and general, by names that outlive versions where the provider has such.
_MODELS = {
    "openai": "gpt-5.4-mini",
    "anthropic": "claude-haiku-4-5",
    "google": "gemini-flash-latest",
    "mistral": "mistral-small-latest",
    "cohere": "command-a-03-2025",
    "groq": "openai/gpt-oss-120b",  # the Llama models were shut down on 2026-08-16
    "togetherai": "openai/gpt-oss-120b",
    "perplexity": "perplexity/sonar",
    "ollama": "llama3.2",
    "lmstudio": "qwen3-8b",
}

_OTHER_VARIABLES = {"google": ("GEMINI_API_KEY",), "cohere": ("CO_API_KEY",)}
"""What the providers' own SDKs read too."""


@dataclass(frozen=True, slots=True)
class Starter:
    """A provider to begin with. `variable` has its key, empty where it needs none; `found` says that it is set."""

    provider: str
    model: str
    variable: str
    found: bool


def starters(environ: Mapping[str, str]) -> list[Starter]:
    """Return one for each provider. Of the variables nothing is kept but their names."""
    return [_starter(name, environ) for name in REGISTRY]


def _starter(provider: str, environ: Mapping[str, str]) -> Starter:
    usual = REGISTRY[provider].key_variable
    if not usual:
        return Starter(provider, _MODELS[provider], "", found=False)
    names = (usual, *_OTHER_VARIABLES.get(provider, ()))
    found = next((name for name in names if environ.get(name, "").strip()), None)
    return Starter(provider, _MODELS[provider], found or usual, found is not None)
