"""How many tokens an attempt will be charged, guessed before it is sent and corrected by what it took.

Only limits on tokens need it. The prompt: its bytes times the tokens a byte took at this instance so far. The answer:
`max_tokens` where the provider counts that when it admits a request, else the length that nine in ten answers stay
below. Guarded by the pool's lock.
"""

import math

from flyllm.request import GenerationRequest
from flyllm.types import TokenUsage

TOKENS_PER_BYTE = 0.3
"""Before the first answer: English text has about 0.25, code and other languages more."""

OUTPUT = 256.0
"""Tokens of an answer before the first one."""

COUNTS_MAX_TOKENS = frozenset({"openai"})
"""Providers that count `max_tokens` when they admit a request (platform.openai.com/docs/guides/rate-limits)."""

CACHED_FREE = frozenset({"anthropic", "groq"})
"""Providers that do not count tokens read from their cache (docs.claude.com/en/api/rate-limits,
console.groq.com/docs/prompt-caching)."""

_WEIGHT = 0.1
_PRIOR = 1000.0  # bytes of evidence that the first guess is worth
_QUANTILE = 0.9


class TokenEstimate:
    """What is known of the tokens at one instance of `provider`."""

    __slots__ = ("_bytes", "_cached_free", "_counts_max_tokens", "_output", "_tokens")

    def __init__(self, provider: str = "") -> None:
        self._counts_max_tokens = provider in COUNTS_MAX_TOKENS
        self._cached_free = provider in CACHED_FREE
        # Moving averages of both, so that short prompts, which are mostly overhead, weigh little in the ratio.
        self._bytes, self._tokens = _PRIOR, _PRIOR * TOKENS_PER_BYTE
        self._output: float | None = None

    def charge(self, size: int, max_tokens: object = None) -> int:
        """Return the tokens to charge for a prompt of `size` bytes whose answer has at most `max_tokens`."""
        return math.ceil(size * self._tokens / self._bytes + self._answer(max_tokens))

    def learn(self, size: int, usage: TokenUsage) -> int | None:
        """Take in what such a prompt took; return the tokens that count towards the limit, None if nobody knows."""
        prompt, answer = usage.prompt_tokens, usage.completion_tokens
        if size > 0 and prompt:
            # More than one token a byte is not text: an image, say, about which bytes of text tell nothing.
            self._bytes += (size - self._bytes) * _WEIGHT
            self._tokens += (min(prompt, size) - self._tokens) * _WEIGHT
        if answer is not None:
            self._learn_answer(answer)
        if prompt is None or answer is None:
            return usage.total_tokens
        return prompt + answer - (min(usage.cached_tokens or 0, prompt) if self._cached_free else 0)

    def _answer(self, max_tokens: object) -> float:
        most = max_tokens if isinstance(max_tokens, int) and max_tokens > 0 else math.inf
        if self._counts_max_tokens and most != math.inf:
            return most
        return min(OUTPUT if self._output is None else self._output, most)

    def _learn_answer(self, tokens: int) -> None:
        # Steps up outweigh steps down nine to one: it settles near the 90th percentile (it is the 90 % expectile).
        known = float(tokens) if self._output is None else self._output
        self._output = known + (tokens - known) * _WEIGHT * 2 * (_QUANTILE if tokens > known else 1 - _QUANTILE)


def prompt_size(request: GenerationRequest) -> int:
    """Return the bytes of all text in `request`, as UTF-8; images and tools do not count."""
    size = text_size(request.prompt) + text_size(request.system)
    for message in request.messages or ():
        content = message.get("content")
        if isinstance(content, list | tuple):
            size += sum(text_size(part.get("text")) for part in content if isinstance(part, dict))
        else:
            size += text_size(content)
    return size


def text_size(text: object) -> int:
    """Return the bytes of `text` as UTF-8; what is none has none."""
    if not isinstance(text, str):
        return 0
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
