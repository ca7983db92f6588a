"""The series of one instance, and of requests by instance and task. Looked up once: that takes longer than counting."""

from prometheus_client import Counter

from flyllm import errors
from flyllm.errors import LLMError, RateLimitError
from flyllm.observability.prometheus.families import Families
from flyllm.types import Attempt, LLMResponse

OUTCOMES = ("success", "error", "abandoned", "outrun")

ERROR_TYPES = sorted(
    {kind.label for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LLMError)}
)


def error_type(error: LLMError) -> str:
    """Return the label of an error; a class that is not flyllm's counts as the base of all."""
    return error.label if error.label in ERROR_TYPES else LLMError.label


class Place:
    """What is counted of attempts at one instance. All series begin at zero but the cost, which may not be known."""

    __slots__ = (
        "_attempts",
        "_cached",
        "_completion",
        "_cost",
        "_errors",
        "_families",
        "_first_token",
        "_prompt",
        "_rate_limits",
        "_reasoning",
        "_seconds",
        "_waits",
        "failovers",
        "hedges",
        "labels",
        "retries",
    )

    def __init__(self, families: Families, instance: str, provider: str, model: str) -> None:
        self.labels = labels = (instance, provider, model)
        self._families = families
        self._attempts = {outcome: families.attempts.labels(*labels, outcome) for outcome in OUTCOMES}
        self._errors = {kind: families.errors.labels(*labels, kind) for kind in ERROR_TYPES}
        self._seconds = families.attempt_seconds.labels(*labels)
        self._prompt = families.tokens_prompt.labels(*labels)
        self._completion = families.tokens_completion.labels(*labels)
        self._cached = families.tokens_cached.labels(*labels)
        self._reasoning = families.tokens_reasoning.labels(*labels)
        self._cost: Counter | None = None
        self.retries = families.retries.labels(instance, provider)
        self.failovers = families.failovers.labels(instance, provider)
        self.hedges = families.hedges.labels(instance, provider)
        self._rate_limits = families.rate_limits.labels(instance, provider)
        self._first_token = families.first_token_seconds.labels(provider, model)
        self._waits = families.wait_seconds.labels(provider, model)

    def ended(self, attempt: Attempt, error: LLMError | None) -> None:
        """Count an attempt."""
        self._seconds.observe(attempt.duration)
        self._waits.observe(attempt.waited)
        if attempt.first_content is not None:
            self._first_token.observe(attempt.first_content)
        self._consumed(attempt)
        if error is None:
            self._attempts[attempt.outcome].inc()
            return
        self._attempts["error"].inc()
        self._errors[error_type(error)].inc()
        if isinstance(error, RateLimitError):
            self._rate_limits.inc()

    def _consumed(self, attempt: Attempt) -> None:
        usage = attempt.usage
        for series, tokens in (
            (self._prompt, usage.prompt_tokens),
            (self._completion, usage.completion_tokens),
            (self._cached, usage.cached_tokens),
            (self._reasoning, usage.reasoning_tokens),
        ):
            if tokens:
                series.inc(tokens)
        if attempt.cost is not None:
            if self._cost is None:
                self._cost = self._families.cost.labels(*self.labels)
            self._cost.inc(attempt.cost)


class Requests:
    """What is counted of the requests of one task that ended at one place."""

    __slots__ = ("_failed", "_seconds", "_succeeded")

    def __init__(self, families: Families, labels: tuple[str, str, str], task: str) -> None:
        self._succeeded = families.requests.labels(*labels, task, "success")
        self._failed = families.requests.labels(*labels, task, "error")
        self._seconds = families.request_seconds.labels(*labels[1:], task)

    def ended(self, response: LLMResponse) -> None:
        """Count a request."""
        (self._succeeded if response.error is None else self._failed).inc()
        self._seconds.observe(response.duration)
