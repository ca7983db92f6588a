"""What ends a batch before all of its requests were sent."""

from dataclasses import dataclass

from flyllm._resilience.deadline import Deadline
from flyllm.errors import BatchStoppedError, DeadlineExceededError, LLMError
from flyllm.types import LLMResponse, TokenUsage


@dataclass(frozen=True, slots=True)
class Budget:
    """What a batch may spend; None means no limit. What is in flight when it is reached is still finished.

    Args:
        tokens: prompt and completion together, of all attempts, as reported or estimated.
        cost: in the currency of the instances' `input_cost` and `output_cost`.
    """

    tokens: int | None = None
    cost: float | None = None


class Stops:
    """Counts what came, and tells when to stop. `reason` is None until then."""

    def __init__(self, deadline: Deadline, max_failures: int | None, budget: Budget) -> None:
        self._deadline, self._max_failures, self._budget = deadline, max_failures, budget
        self._failures = 0
        self._tokens, self._cost = 0, 0.0
        self._reason: str | None = None

    @property
    def reason(self) -> str | None:
        """Why no further request may be sent."""
        if self._reason is None and self._deadline.passed:
            self._reason = "its deadline passed"
        return self._reason

    def error(self, read: int) -> LLMError:
        """Return the error for what is not sent any more, after `read` requests."""
        kind = DeadlineExceededError if self._deadline.passed else BatchStoppedError
        return kind(f"the batch was stopped after {read} requests: {self.reason}")

    def count(self, response: LLMResponse) -> None:
        """Take in a response of this run."""
        self._failures += not response.success
        self._tokens += _tokens(response)
        self._cost += response.cost or 0.0
        limit, budget = self._max_failures, self._budget
        if limit is not None and self._failures > limit:
            self._reason = f"{self._failures} requests failed, more than max_failures={limit}"
        elif budget.tokens is not None and self._tokens >= budget.tokens:
            self._reason = f"its budget of {budget.tokens} tokens is used up ({self._tokens})"
        elif budget.cost is not None and self._cost >= budget.cost:
            self._reason = f"its budget of {budget.cost:g} is used up ({self._cost:.6g})"


def _tokens(response: LLMResponse) -> int:
    spent = sum((attempt.usage for attempt in response.attempts), TokenUsage())
    return spent.total_tokens or 0
