"""What may be spent, and what was: tokens and money of all attempts."""

from dataclasses import dataclass

from flyllm.types import Attempt


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent; None means no limit. What is under way when it is reached is still finished.

    Args:
        tokens: prompt and completion together, of all attempts, as reported or estimated.
        cost: of all attempts, by the instances' prices and in their currency.
    """

    tokens: int | None = None
    cost: float | None = None

    def share(self, spent: "Expenses") -> float:
        """Return how much of it is spent, of the limit that is nearer: 1.0 is all of it."""
        shares = [0.0]
        if self.tokens is not None:
            shares.append(spent.tokens / self.tokens if self.tokens else 1.0)
        if self.cost is not None:
            shares.append(spent.cost / self.cost if self.cost else 1.0)
        return max(shares)

    def used_up(self, spent: "Expenses") -> str | None:
        """Return the words for it once it is spent, None until then."""
        if self.tokens is not None and spent.tokens >= self.tokens:
            return f"budget of {self.tokens} tokens is used up ({spent.tokens})"
        if self.cost is not None and spent.cost >= self.cost:
            return f"budget of {self.cost:g} is used up ({spent.cost:.6g})"
        return None


class Expenses:
    """Counts what attempts took. Not guarded."""

    __slots__ = ("cost", "tokens")

    def __init__(self) -> None:
        self.tokens, self.cost = 0, 0.0

    def add(self, attempt: Attempt) -> None:
        """Take in an attempt; what is not known of it counts as nothing."""
        usage = attempt.usage
        total = usage.total_tokens
        self.tokens += (usage.prompt_tokens or 0) + (usage.completion_tokens or 0) if total is None else total
        self.cost += attempt.cost or 0.0
