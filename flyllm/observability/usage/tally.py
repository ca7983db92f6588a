"""Sums of what attempts took, and of how many did not say."""

from collections.abc import Sequence
from typing import Self

from flyllm.observability.usage.report import Spent
from flyllm.types import Attempt, TokenUsage

FIELDS = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens", "cost")
_PLACE = {name: place for place, name in enumerate(FIELDS)}
_COST = _PLACE["cost"]
_PRICED = frozenset({"prompt_tokens", "completion_tokens"})


class Tally:
    """Counts attempts. Mutable and unguarded; its lists are in the order of `FIELDS`."""

    __slots__ = ("attempts", "estimated", "free", "sums", "unknown")

    def __init__(self) -> None:
        self.attempts = 0
        self.free = 0  # those of them that took nothing
        self.sums: list[float] = [0, 0, 0, 0, 0, 0.0]
        self.unknown, self.estimated = [0] * len(FIELDS), [0] * len(FIELDS)

    def add_free(self) -> None:
        """Take in an attempt that took nothing."""
        self.attempts += 1
        self.free += 1

    def add(self, attempt: Attempt) -> None:
        """Take in an attempt."""
        usage = attempt.usage
        numbers = (
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.total_tokens,
            usage.cached_tokens,
            usage.reasoning_tokens,
            attempt.cost,
        )
        self.attempts += 1
        for place, number in enumerate(numbers):
            if number is None:
                self.unknown[place] += 1
            else:
                self.sums[place] += number
        if usage.estimated:
            self._add_estimates(usage.estimated, priced=attempt.cost is not None)

    def copy(self) -> "Tally":
        """Return one that stays as this is now."""
        other = Tally()
        other.attempts, other.free = self.attempts, self.free
        other.sums, other.unknown, other.estimated = self.sums[:], self.unknown[:], self.estimated[:]
        return other

    def merge(self, other: "Tally") -> Self:
        """Add the sums of another, and return itself."""
        self.attempts += other.attempts
        self.free += other.free
        self.sums = [a + b for a, b in zip(self.sums, other.sums, strict=True)]
        self.unknown = [a + b for a, b in zip(self.unknown, other.unknown, strict=True)]
        self.estimated = [a + b for a, b in zip(self.estimated, other.estimated, strict=True)]
        return self

    def tokens(self) -> TokenUsage:
        """Return the tokens; 0 also where none are known."""
        return self._usage(self.sums)

    def spent(self) -> Spent:
        """Return the sums as a value."""
        numbers = [self.sums[place] if self._any_known(place) else None for place in range(len(FIELDS))]
        return Spent(self.attempts, self._usage(numbers), numbers[_COST], _named(self.unknown), _named(self.estimated))

    def _add_estimates(self, names: frozenset[str], *, priced: bool) -> None:
        for name in names:
            self.estimated[_PLACE[name]] += 1
        self.estimated[_COST] += priced and not names.isdisjoint(_PRICED)

    def _any_known(self, place: int) -> bool:
        """Whether some attempt gave this number, or none had any to give."""
        unknown = self.unknown[place]
        return not unknown or self.attempts > self.free + unknown

    def _usage(self, numbers: Sequence[float | None]) -> TokenUsage:
        prompt, completion, total, cached, reasoning = (None if n is None else int(n) for n in numbers[:_COST])
        estimated = frozenset(_named(self.estimated[:_COST]))
        return TokenUsage(prompt, completion, total, cached, reasoning, estimated)


def _named(counts: list[int]) -> dict[str, int]:
    return {name: count for name, count in zip(FIELDS, counts, strict=False) if count}
