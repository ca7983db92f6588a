"""What a manager's requests took: counted per instance and task, and reported."""

from flyllm.observability.usage.ledger import UsageLedger
from flyllm.observability.usage.methods import UsageMethods
from flyllm.observability.usage.report import AttemptCounts, RequestCounts, Spent, UsageEntry, UsageReport
from flyllm.observability.usage.table import usage_table

__all__ = [
    "AttemptCounts",
    "RequestCounts",
    "Spent",
    "UsageEntry",
    "UsageLedger",
    "UsageMethods",
    "UsageReport",
    "usage_table",
]
