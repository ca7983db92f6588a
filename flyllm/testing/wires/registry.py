"""The table of simulated providers: which wires an instance serves, whether it asks for a key, its models.

Wires are named "module:Class" and imported on first use. Where two shapes live on one host, both stand in a row.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import cast

from flyllm.testing.wires.base import Operation, Wire


@dataclass(frozen=True, slots=True)
class Row:
    """One simulated provider.

    wires: in order of preference; the first answers what none of them knows (404).
    models: what its model list shows unless the user says otherwise.
    keyless: operations that are answered without a key.
    """

    wires: tuple[str, ...]
    models: tuple[str, ...]
    keyless: frozenset[Operation] = frozenset()


ROWS: dict[str, Row] = {
    "openai": Row(
        ("openai_chat:OpenAIChatWire", "openai_responses:OpenAIResponsesWire"),
        ("gpt-4o-mini", "gpt-5.4", "text-embedding-3-small"),
    ),
    "anthropic": Row(("anthropic:AnthropicWire",), ("claude-sonnet-4-6", "claude-haiku-4-5")),
    "google": Row(("google:GoogleWire", "openai_locals:GoogleChatWire"), ("gemini-3-flash", "gemini-embedding-001")),
    "mistral": Row(("mistral:MistralWire",), ("mistral-large-latest", "mistral-embed")),
    "cohere": Row(("cohere:CohereWire",), ("command-a-03-2025", "embed-v4.0")),
    "groq": Row(("openai_rows:GroqWire",), ("llama-3.3-70b-versatile", "openai/gpt-oss-120b")),
    "togetherai": Row(
        ("openai_rows:TogetherWire",),
        ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "intfloat/multilingual-e5-large-instruct"),
    ),
    "perplexity": Row(
        ("perplexity_agent:PerplexityAgentWire", "perplexity_sonar:PerplexityWire"),
        ("perplexity/sonar", "openai/gpt-5.4", "pplx-embed-v1-4b"),
        frozenset({Operation.MODELS}),
    ),
    "ollama": Row(
        ("ollama:OllamaWire", "openai_locals:OllamaChatWire"), ("llama3.2", "nomic-embed-text"), frozenset(Operation)
    ),
    "lmstudio": Row(
        ("openai_locals:LMStudioWire",), ("qwen3-8b", "text-embedding-nomic-embed-text-v1.5"), frozenset(Operation)
    ),
}

PROVIDERS: tuple[str, ...] = tuple(ROWS)
"""Names of the providers that can be simulated."""


@cache
def wires(provider: str) -> tuple[Wire, ...]:
    """Return the wires of `provider`, the first one leading."""
    return tuple(_load(name) for name in ROWS[provider].wires)


def _load(name: str) -> Wire:
    module, _, attribute = name.partition(":")
    return cast(Wire, getattr(import_module(f"flyllm.testing.wires.{module}"), attribute)())
