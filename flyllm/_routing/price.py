"""What tokens cost at an instance."""

from dataclasses import dataclass

from flyllm.types import TokenUsage

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Per million tokens, as providers publish it; None where not known.

    `cached` is for tokens of prompts that the provider had in its cache, None where they cost what others do;
    `reasoning` likewise for tokens of answers. `request` is for the request itself.
    """

    input: float | None = None
    output: float | None = None
    cached: float | None = None
    reasoning: float | None = None
    request: float = 0.0

    @property
    def known(self) -> bool:
        """Whether both prices are known."""
        return self.input is not None and self.output is not None

    @property
    def source(self) -> str | None:
        """Where it comes from, None where it is not known."""
        return "configured" if self.known else None

    def of(self, usage: TokenUsage) -> float | None:
        """Return the cost of `usage`, None where a price or a number of tokens is not known."""
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        if self.input is None or prompt is None or completion is None:
            return None
        if self.output is None and completion:
            return None
        output = self.output or 0.0  # embeddings have no output, and no price of it
        cost = prompt * self.input + completion * output
        if self.cached is not None and usage.cached_tokens:
            cost -= min(usage.cached_tokens, prompt) * (self.input - self.cached)
        if self.reasoning is not None and usage.reasoning_tokens:
            cost -= min(usage.reasoning_tokens, completion) * (output - self.reasoning)
        return cost / MILLION + self.request
