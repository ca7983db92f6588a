"""What tokens cost at an instance."""

from dataclasses import dataclass

from flyllm.types import TokenUsage

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Per million tokens, as providers publish it; None where not known. Cached tokens cost what others do."""

    input: float | None = None
    output: float | None = None

    @property
    def known(self) -> bool:
        """Whether both prices are known."""
        return self.input is not None and self.output is not None

    def of(self, usage: TokenUsage) -> float | None:
        """Return the cost of `usage`, None where a price or a number of tokens is not known."""
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        if self.input is None or self.output is None or prompt is None or completion is None:
            return None
        return (prompt * self.input + completion * self.output) / MILLION
