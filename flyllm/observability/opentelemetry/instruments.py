"""Attempts as the client metrics of the GenAI semantic conventions.

An attempt is what they call an operation. Attributes come from closed sets: of a response nothing is among them.
"""

from opentelemetry.metrics import Meter

from flyllm.observability.opentelemetry import attributes
from flyllm.types import Attempt

_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_TOKENS = [float(4**power) for power in range(14)]
_KINDS = {"prompt_tokens": "input", "completion_tokens": "output"}


class Instruments:
    """The histograms of one meter."""

    def __init__(self, meter: Meter) -> None:
        self._durations = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._first_chunks = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "Time from the request to the first chunk of a streamed answer.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def record(self, attempt: Attempt, asked: str = attributes.CHAT) -> None:
        """Count an attempt in. Tokens that flyllm estimated are left out: the conventions want none guessed."""
        place = {
            **attributes.of_place(attempt.provider, attempt.model, asked),
            "flyllm.instance.name": attempt.instance_name,
        }
        error, usage = attributes.error_of(attempt), attempt.usage
        ending = {"flyllm.attempt.outcome": attempt.outcome} if error is None else _ending_in(error)
        self._durations.record(attempt.duration, {**place, **ending})
        if attempt.first_content is not None:
            self._first_chunks.record(attempt.first_content, place)
        for field, kind in _KINDS.items():
            if usage.source(field) == "reported":
                self._tokens.record(getattr(usage, field), {**place, "gen_ai.token.type": kind})


def _ending_in(error: str) -> dict[str, str]:
    return {"flyllm.attempt.outcome": "error", "error.type": error}
