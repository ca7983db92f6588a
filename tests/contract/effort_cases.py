"""Efforts per row and family of models, and the fields of a body that say them: written by hand from what each provider
documents (sources in `flyllm/providers/efforts.py`).
"""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
WORDS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
FIELDS = {"reasoning_effort", "reasoning", "output_config", "thinking", "think", "generationConfig"}


@dataclass(frozen=True)
class Case:
    """A row with a model of one family: the fields of a body per word, as its provider documents them."""

    provider: str
    api: str
    model: str
    fields: dict[str, Json]
    shows: bool = True
    """Whether the wire has a place for reasoning text."""
    counts: bool = True
    """Whether the wire has a place for reasoning tokens."""


def chat(**words: str) -> dict[str, Json]:
    return {word: {"reasoning_effort": words.get(word, word)} for word in WORDS}


def effort(**words: str) -> dict[str, Json]:
    return {word: {"reasoning": {"effort": words.get(word, word)}} for word in WORDS}


def switch(off: Json, on: Json) -> dict[str, Json]:
    return {word: off if word == "none" else on for word in WORDS}


def claude(none: Json, others: Json | None, **words: str) -> dict[str, Json]:
    said = {word: {"output_config": {"effort": words.get(word, word)}, **(others or {})} for word in WORDS}
    return {**said, "none": none}


def gemini(key: str, none: Json, **words: Any) -> dict[str, Json]:
    said = {
        word: {"generationConfig": {"thinkingConfig": {key: value, "includeThoughts": True}}}
        for word, value in words.items()
    }
    return {"none": {"generationConfig": {"thinkingConfig": none}}, **said}


LEAST, MOST = {"none": "low", "minimal": "low"}, {"xhigh": "high", "max": "high"}
ADAPTIVE: Json = {"thinking": {"type": "adaptive"}}
DISABLED: Json = {"thinking": {"type": "disabled"}}
LEVELS = {"low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}
BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}
THOUGHTS = {"includeThoughts": True}
CASES = [
    Case("openai", "chat_completions", "gpt-5.4", chat(), shows=False),
    Case("openai", "responses", "gpt-5.4", effort()),
    Case("anthropic", "messages", "claude-sonnet-5", claude(DISABLED, ADAPTIVE, minimal="low")),
    Case("anthropic", "messages", "claude-opus-4-6", claude(DISABLED, ADAPTIVE, minimal="low", xhigh="high")),
    Case("anthropic", "messages", "claude-opus-4-5-20251101", claude(DISABLED, None, minimal="low", **MOST)),
    Case(
        "google",
        "generate_content",
        "gemini-3-flash-preview",
        gemini("thinkingLevel", {"thinkingLevel": "MINIMAL", **THOUGHTS}, minimal="MINIMAL", **LEVELS),
    ),
    Case(
        "google",
        "generate_content",
        "gemini-3.1-pro-preview",
        gemini("thinkingLevel", {"thinkingLevel": "LOW", **THOUGHTS}, minimal="LOW", **LEVELS),
    ),
    Case("google", "generate_content", "gemini-2.5-flash", gemini("thinkingBudget", {"thinkingBudget": 0}, **BUDGETS)),
    Case(
        "google",
        "generate_content",
        "gemini-2.5-pro",
        gemini("thinkingBudget", {"thinkingBudget": 128, **THOUGHTS}, **BUDGETS),
    ),
    Case("google", "chat_completions", "gemini-2.5-flash", chat(**MOST), shows=False, counts=False),
    Case("google", "chat_completions", "gemini-3.5-flash", chat(none="minimal", **MOST), shows=False, counts=False),
    Case(
        "mistral",
        "chat_completions",
        "mistral-small-latest",
        chat(minimal="none", low="high", medium="high", **MOST),
        counts=False,
    ),
    Case("mistral", "chat_completions", "mistral-large-4-0", chat(minimal="low", **MOST), counts=False),
    Case(
        "cohere",
        "chat",
        "command-a-reasoning-08-2025",
        switch(DISABLED, {"thinking": {"type": "enabled"}}),
        counts=False,
    ),
    Case("groq", "chat_completions", "openai/gpt-oss-120b", chat(**LEAST, **MOST)),
    Case(
        "groq",
        "chat_completions",
        "qwen/qwen3-32b",
        switch({"reasoning_effort": "none"}, {"reasoning_effort": "default"}),
    ),
    Case("togetherai", "chat_completions", "openai/gpt-oss-20b", chat(**LEAST, **MOST), counts=False),
    Case(
        "togetherai",
        "chat_completions",
        "zai-org/GLM-5",
        switch({"reasoning": {"enabled": False}}, {"reasoning": {"enabled": True}}),
        counts=False,
    ),
    Case("perplexity", "responses", "openai/gpt-5.4", effort(), shows=True),
    Case("perplexity", "chat_completions", "sonar-deep-research", chat(none="minimal", **MOST), shows=False),
    Case(
        "ollama",
        "chat",
        "gpt-oss:20b",
        {w: {"think": {**LEAST, "xhigh": "high"}.get(w, w)} for w in WORDS},
        counts=False,
    ),
    Case("ollama", "chat", "qwen3:8b", switch({"think": False}, {"think": True}), counts=False),
    Case("ollama", "chat_completions", "gpt-oss:20b", chat(**LEAST, **MOST), counts=False),
    Case("ollama", "chat_completions", "qwen3:8b", switch({"reasoning_effort": "none"}, {}), counts=False),
    Case("lmstudio", "chat_completions", "openai/gpt-oss-20b", chat(max="xhigh"), counts=False),
]
WITHOUT = [
    ("openai", "chat_completions", "gpt-4o-mini"),
    ("openai", "responses", "gpt-4.1"),
    ("anthropic", "messages", "claude-sonnet-4-5"),
    ("anthropic", "messages", "claude-haiku-4-5-20251001"),
    ("anthropic", "messages", "claude-opus-4-1-20250805"),
    ("google", "generate_content", "gemini-2.0-flash"),
    ("google", "chat_completions", "gemini-2.0-flash"),
    ("mistral", "chat_completions", "magistral-medium-latest"),
    ("mistral", "chat_completions", "codestral-latest"),
    ("cohere", "chat", "command-a-03-2025"),
    ("groq", "chat_completions", "llama-3.3-70b-versatile"),
    ("togetherai", "chat_completions", "MiniMaxAI/MiniMax-M2.7"),
    ("ollama", "chat", "llama3.2"),
    ("ollama", "chat_completions", "llama3.2"),
]
"""Models that do not take it, one at least of each row that has such."""
