"""Spans and metrics for OpenTelemetry: the only home of its API, imported where it is asked for.

    observer     collects a request's events, and hands them on when it ends
    spans        a request and its attempts as spans
    instruments  attempts as the metrics of the GenAI semantic conventions
    attributes   what both say about requests and answers, under the conventions' names
    content      prompts and answers, for who asks for them

Attempts are what the conventions call operations; a request is the span around them.
"""

from flyllm.errors import MissingDependencyError

try:
    import opentelemetry.metrics
    import opentelemetry.trace  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingDependencyError('Tracing needs the OpenTelemetry API: pip install "flyllm[opentelemetry]"') from error

from flyllm.observability.opentelemetry.observer import OpenTelemetryObserver

__all__ = ["OpenTelemetryObserver"]
