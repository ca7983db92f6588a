"""What an `LLMManager` tells of tokens and costs."""

from flyllm.observability.usage.ledger import UsageLedger
from flyllm.observability.usage.report import UsageReport
from flyllm.observability.usage.table import usage_table
from flyllm.types import TokenUsage


class UsageMethods:
    """The part of a manager that tells what its requests took."""

    def _ledger(self) -> UsageLedger:
        raise NotImplementedError

    def _id(self, instance: int | str) -> int:
        raise NotImplementedError

    def total_usage(self) -> TokenUsage:
        """Return the tokens of all instances together."""
        return self._ledger().total()

    def instance_usage(self, instance: int | str) -> TokenUsage:
        """Return the tokens of one instance, by id or name."""
        return self._ledger().of(self._id(instance))

    def usage_report(self) -> UsageReport:
        """Return what all requests took: tokens and cost in total, per instance and per task, and how they ended."""
        return self._ledger().report()

    def print_token_usage(self) -> None:
        """Print the tokens per instance as a table, and what they cost where any price is known."""
        entries = self.usage_report().instances
        rows = [(e.instance_id or 0, e.provider or "", e.model or "", e.spent.tokens) for e in entries]
        costs = {e.instance_id or 0: e.spent.cost for e in entries if e.price_sources}
        print(f"\n{usage_table(rows, costs)}")
