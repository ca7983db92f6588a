"""Token usage per instance and in total, and the original's table of it."""

import threading
from collections.abc import Sequence

from flyllm.observability.events import AttemptEvent, RequestEvent
from flyllm.types import TokenUsage

_NOTHING = TokenUsage(0, 0, 0, 0, 0)


class UsageLedger:
    """Sums the tokens of all attempts, also of those whose answer was thrown away: they are paid for as well."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _totals
        self._totals: dict[int, TokenUsage] = {}

    def on_attempt(self, event: AttemptEvent) -> None:
        """Add an attempt's tokens."""
        key, usage = event.attempt.instance_id, event.attempt.usage
        with self._lock:
            self._totals[key] = self._totals.get(key, _NOTHING) + usage

    def on_request(self, event: RequestEvent) -> None:
        """Requests add nothing: their attempts did."""

    def of(self, instance_id: int) -> TokenUsage:
        """Return the sum of one instance; zeros before its first answer."""
        with self._lock:
            return self._totals.get(instance_id, _NOTHING)

    def total(self) -> TokenUsage:
        """Return the sum of all instances."""
        with self._lock:
            return sum(self._totals.values(), _NOTHING)


def usage_table(rows: Sequence[tuple[int, str, str, TokenUsage]]) -> str:
    """Return FlyLLM's table of (id, provider, model, usage)."""
    layout = "{:<5} {:<15} {:<30} {:<15} {:<17} {:<15}"
    head = layout.format("ID", "Provider", "Model", "Prompt Tokens", "Completion Tokens", "Total Tokens").rstrip()
    lines = [
        layout.format(
            number, provider, model, usage.prompt_tokens or 0, usage.completion_tokens or 0, usage.total_tokens or 0
        ).rstrip()
        for number, provider, model, usage in rows
    ]
    return "\n".join(["--- Token Usage Statistics ---", head, "-" * 95, *lines])
