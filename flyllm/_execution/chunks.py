"""How many of the texts go into one embedding call."""

from flyllm.providers.base import EmbeddingSpec

WIDEST = EmbeddingSpec("", 2048, 300_000)
"""The largest call that any provider takes: what the first one may become, while nobody knows where it will go."""


def next_chunk(texts: tuple[str, ...], start: int, spec: EmbeddingSpec) -> tuple[str, ...]:
    """Return the texts from `start` on that fit into one call: at least one, which its provider may refuse."""
    end = min(start + spec.texts, len(texts))
    if spec.tokens is not None:
        tokens = 0
        for place in range(start, end):
            tokens += tokens_at_most(texts[place])
            if tokens > spec.tokens:
                return texts[start : max(place, start + 1)]
    return texts[start:end]


def tokens_at_most(text: str) -> int:
    """Return how many tokens `text` will hardly exceed.

    Tokenisers cut bytes: no text has more tokens than bytes, and English and code have a token per three bytes or more.
    """
    return -(-len(text) // 2) if text.isascii() else len(text.encode())
