"""What ends a batch before all of its requests were sent."""

from flyllm._resilience.deadline import Deadline
from flyllm.errors import BatchStoppedError, DeadlineExceededError, LLMError
from flyllm.observability.budget import Budget, Expenses
from flyllm.types import LLMResponse


class Stops:
    """Counts what came, and tells when to stop. `reason` is None until then."""

    def __init__(self, deadline: Deadline, max_failures: int | None, budget: Budget) -> None:
        self._deadline, self._max_failures, self._budget = deadline, max_failures, budget
        self._failures = 0
        self._spent = Expenses()
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
        for attempt in response.attempts:
            self._spent.add(attempt)
        limit, used_up = self._max_failures, self._budget.used_up(self._spent)
        if limit is not None and self._failures > limit:
            self._reason = f"{self._failures} requests failed, more than max_failures={limit}"
        elif used_up is not None:
            self._reason = f"its {used_up}"
