"""A manager's budget: what its attempts took, and no new requests once that is all that may be spent."""

import logging
import threading

from flyllm.errors import BudgetExceededError
from flyllm.observability.budget import Budget, Expenses
from flyllm.observability.events import AttemptEvent
from flyllm.types import Attempt

logger = logging.getLogger("flyllm.budget")

NEAR = 0.8
"""The share of a budget of which a warning is logged."""


class Spending:
    """Counts what is spent of a budget. Requests under way are finished, so it may be exceeded by what they take."""

    def __init__(self, budget: Budget) -> None:
        self._lock = threading.Lock()  # guards what follows; nothing is called under it that takes another
        self._budget, self._spent = budget, Expenses()
        self._unpriced: set[int] = set()  # the instances of which that was logged
        self._begin()

    def on_attempt(self, event: AttemptEvent) -> None:
        """Count an attempt, and warn where little or nothing is left."""
        attempt = event.attempt
        with self._lock:
            self._spent.add(attempt)
            warning = self._reached()
            uncounted = attempt.cost is None and self._is_first_unpriced(attempt)
        if warning is not None:
            logger.warning(*warning)
        if uncounted:
            logger.warning(
                "the price of %s (%s) is not known: what it costs is not counted in budget_cost. "
                "Give its input_cost and output_cost, 0 where it costs nothing",
                attempt.instance_name,
                attempt.model,
            )

    def refuse_if_spent(self) -> None:
        """Raise BudgetExceededError where nothing more may be spent."""
        used_up = self._used_up
        if used_up is not None:
            raise BudgetExceededError(f"the manager's {used_up}: raise it, or begin to count anew")

    def allow(self, budget: Budget) -> None:
        """Put another budget in the place of this one; what was spent stays spent."""
        with self._lock:
            self._budget = budget
            self._begin()

    def reset(self) -> None:
        """Begin to count anew, as for another month."""
        with self._lock:
            self._spent = Expenses()
            self._begin()

    def _begin(self) -> None:
        self._near = False  # whether it was logged that little is left
        self._used_up = self._budget.used_up(self._spent)

    def _reached(self) -> tuple[str, object] | None:
        if self._used_up is not None:
            return None
        self._used_up = self._budget.used_up(self._spent)
        if self._used_up is not None:
            return "the manager's %s: new requests are refused", self._used_up
        share = self._budget.share(self._spent)
        if share >= NEAR and not self._near:
            self._near = True
            return "%d %% of the manager's budget is spent", 100 * share
        return None

    def _is_first_unpriced(self, attempt: Attempt) -> bool:
        """Whether this is the first attempt of an instance that told its tokens, and that has no price."""
        usage, instance = attempt.usage, attempt.instance_id
        if self._budget.cost is None or usage.prompt_tokens is None or usage.completion_tokens is None:
            return False
        first = instance not in self._unpriced
        self._unpriced.add(instance)
        return first
