"""A request and its attempts as spans, made when all is over, with the times at which it happened."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from flyllm._clock import Clock
from flyllm.observability.events import RequestEvent
from flyllm.observability.opentelemetry import attributes
from flyllm.observability.opentelemetry.attributes import Attributes
from flyllm.types import Attempt, LLMResponse


@dataclass(slots=True)
class Pending:
    """What is known of a request before its end: the context it was begun in, and what its attempts were sent with."""

    context: Context
    sent: dict[int, Attributes] = field(default_factory=dict)


class Spans:
    """Writes spans. `tells` says that errors may be given in the providers' words, which may quote prompts."""

    def __init__(self, tracer: Tracer, clock: Clock, *, tells: bool) -> None:
        self._tracer, self._clock, self._tells = tracer, clock, tells

    def write(self, event: RequestEvent, pending: Pending) -> None:
        """Write a request, and under it its attempts; each but the first is linked to the one before it."""
        response = event.response
        began, ended = self._times(response)
        span = self._tracer.start_span(
            _name(event),
            pending.context,
            SpanKind.INTERNAL,
            attributes.of_request(event),
            start_time=_ns(began),
        )
        if span.is_recording():
            inside, before = set_span_in_context(span, pending.context), None
            for attempt in response.attempts:
                found = self._of(attempt, event, pending.sent.get(attempt.number, {}))
                before = self._write(attempt, found, inside, before)
            if response.error is not None:
                span.set_status(self._failure(type(response.error).__name__, None, str(response.error)))
        span.end(_ns(ended))

    def _write(self, attempt: Attempt, found: Attributes, inside: Context, before: Span | None) -> Span:
        links = [Link(before.get_span_context(), {"flyllm.attempt.reason": attempt.chosen_because})] if before else None
        span = self._tracer.start_span(
            f"{found['gen_ai.operation.name']} {attempt.model}",
            inside,
            SpanKind.CLIENT,
            found,
            links,
            _ns(attempt.started),
        )
        if (error := attributes.error_of(attempt)) is not None:
            span.set_status(self._failure(error, attempt.status_code, attempt.error))
        span.end(_ns(attempt.started + attempt.duration))
        return span

    def _of(self, attempt: Attempt, event: RequestEvent, sent: Mapping[str, attributes.Value]) -> Attributes:
        return {
            **attributes.of_place(attempt.provider, attempt.model, attributes.operation(event.request)),
            **sent,
            **attributes.of_attempt(attempt, streamed=event.streamed),
            **(attributes.of_answer(event.response) if attempt.success else {}),
        }

    def _failure(self, kind: str, status: int | None, text: str | None) -> Status:
        if self._tells:
            return Status(StatusCode.ERROR, f"{kind}: {text}")
        return Status(StatusCode.ERROR, kind if status is None else f"{kind} (HTTP {status})")

    def _times(self, response: LLMResponse) -> tuple[float, float]:
        """Return when a request began and ended, in seconds since the epoch."""
        attempts = response.attempts
        if not attempts:
            now = self._clock.wall()
            return now - response.duration, now
        began = attempts[0].started - attempts[0].waited
        return began, max(began + response.duration, *(each.started + each.duration for each in attempts))


def _name(event: RequestEvent) -> str:
    if attributes.operation(event.request) == attributes.EMBEDDINGS:
        return "flyllm.embed"
    return "flyllm.generate_stream" if event.streamed else "flyllm.generate"


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
