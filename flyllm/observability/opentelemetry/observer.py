"""Collects what happens to a request until it ends, and then writes its spans."""

import threading

from opentelemetry import context, metrics, trace

from flyllm._clock import SystemClock
from flyllm._fork import after_fork
from flyllm._version import __version__
from flyllm.observability import at_exit
from flyllm.observability.events import AttemptEvent, AttemptStart, Observer, RequestEvent
from flyllm.observability.opentelemetry import attributes, content
from flyllm.observability.opentelemetry.instruments import Instruments
from flyllm.observability.opentelemetry.spans import Pending, Spans

MOST_PENDING = 10_000
"""Requests whose end is waited for. One that Ctrl-C ended has none, and is forgotten in time."""


class OpenTelemetryObserver(Observer):
    """A span per request, one per attempt under it, and the metrics of the GenAI semantic conventions.

    The request's span is a child of the span that was current in its caller when it was begun. None as a provider
    takes the global one, which may be set up later. Prompts and answers are left out, unless the environment variable
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT is "true" when this is made.
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._captures = content.wanted()
        tracer = trace.get_tracer("flyllm", __version__, tracer_provider)
        self._spans = Spans(tracer, SystemClock(), tells=self._captures)
        self._instruments = Instruments(metrics.get_meter("flyllm", __version__, meter_provider))
        self._begin()
        after_fork(self, OpenTelemetryObserver._begin)
        # Before the shutdown of the providers, which an application has most likely set up by now.
        at_exit.come_first()

    def on_start(self, event: AttemptStart) -> None:
        """Note the caller's span: a stream may be read, or dropped, where another one is current, or none."""
        with self._lock:
            self._of(event.id)

    def on_attempt(self, event: AttemptEvent) -> None:
        """Count an attempt, and note what it was sent with."""
        self._instruments.record(event.attempt, attributes.operation(event.request))
        sent = attributes.of_params(event)
        if self._captures:
            sent.update(content.of(event))
        with self._lock:
            self._of(event.id).sent[event.attempt.number] = sent

    def on_request(self, event: RequestEvent) -> None:
        """Write the spans of a request."""
        with self._lock:
            pending = self._of(event.id)
            del self._pending[event.id]
        self._spans.write(event, pending)

    def _begin(self) -> None:
        """Begin with nothing; what a forked child finds here is the parent's."""
        self._lock = threading.Lock()  # guards _pending
        self._pending: dict[str, Pending] = {}

    def _of(self, request: str) -> Pending:
        found = self._pending.get(request)
        if found is None:
            found = self._pending[request] = Pending(context.get_current())
            if len(self._pending) > MOST_PENDING:
                del self._pending[next(iter(self._pending))]
        return found
