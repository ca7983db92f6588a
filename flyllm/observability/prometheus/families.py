"""The counters and histograms: names, labels, buckets. Labels take their values from what is configured only."""

from collections.abc import Sequence

from prometheus_client import Counter, Histogram

INSTANCE = ("instance", "provider", "model")
PLACE = ("instance", "provider")
MODEL = ("provider", "model")

SECONDS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 21, 34, 60, 120, 300)
"""Buckets of what an answer takes: fine where chat models answer, with the default timeouts at the end."""

FIRST_TOKEN = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 60)
WAIT = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300)


class Families:
    """One of each, registered nowhere yet."""

    def __init__(self) -> None:
        self.requests = _counter("requests", "Requests that ended.", (*INSTANCE, "task", "status"))
        self.request_seconds = _histogram(
            "request_duration", "What requests took, waiting and retries included.", (*MODEL, "task"), SECONDS
        )
        self.attempts = _counter("attempts", "Wire calls that ended.", (*INSTANCE, "outcome"))
        self.attempt_seconds = _histogram("attempt_duration", "What wire calls took.", INSTANCE, SECONDS)
        self.tokens_prompt = _counter("tokens_prompt", "Tokens sent, failed attempts included.", INSTANCE)
        self.tokens_completion = _counter("tokens_completion", "Tokens received, failed attempts included.", INSTANCE)
        self.tokens_cached = _counter("tokens_cached", "Tokens sent that the provider had cached.", INSTANCE)
        self.tokens_reasoning = _counter("tokens_reasoning", "Tokens received that were reasoning.", INSTANCE)
        self.errors = _counter(
            "errors", "Attempts that failed, and requests that failed without one.", (*INSTANCE, "error_type")
        )
        self.retries = _counter("retries", "Further attempts of a request, hedges apart.", PLACE)
        self.failovers = _counter("failovers", "Retries at another instance; instance is the one left.", PLACE)
        self.hedges = _counter("hedges", "Attempts made beside another one.", PLACE)
        self.rate_limits = _counter("rate_limits", "Attempts refused for too many requests or tokens.", PLACE)
        self.first_token_seconds = _histogram(
            "time_to_first_token", "From the start of an attempt to its stream's first content.", MODEL, FIRST_TOKEN
        )
        self.wait_seconds = _histogram("slot_wait", "What attempts waited before they were sent.", MODEL, WAIT)
        self.cost = _counter("cost", "What tokens cost, in the currency of the configured prices.", INSTANCE)

    def all(self) -> list[Counter | Histogram]:
        """Return every one of them."""
        return list(vars(self).values())


def _counter(name: str, text: str, labels: Sequence[str]) -> Counter:
    return Counter(f"llm_{name}", text, labels, registry=None)


def _histogram(name: str, text: str, labels: Sequence[str], buckets: Sequence[float]) -> Histogram:
    return Histogram(f"llm_{name}_seconds", text, labels, buckets=buckets, registry=None)
