"""Log lines for what did not go as planned; a healthy request logs nothing above DEBUG."""

import logging

from flyllm.observability.events import AttemptEvent, RequestEvent

logger = logging.getLogger("flyllm.requests")

# An application that sets up no logging gets no lines on its stderr; one that does gets these by its own rules.
logging.getLogger("flyllm").addHandler(logging.NullHandler())


class RequestLog:
    """Writes one line per failed attempt and per failed request to `flyllm.requests`."""

    def on_attempt(self, event: AttemptEvent) -> None:
        """Log an attempt."""
        attempt = event.attempt
        if event.error is None:
            logger.debug(
                "attempt %d at %s: %s in %.3f s",
                attempt.number,
                attempt.instance_name,
                attempt.outcome,
                attempt.duration,
            )
        else:
            logger.info(
                "attempt %d at %s failed after %.3f s: %s: %s",
                attempt.number,
                attempt.instance_name,
                attempt.duration,
                attempt.outcome,
                attempt.error,
            )

    def on_request(self, event: RequestEvent) -> None:
        """Log a request that got no answer."""
        response = event.response
        if response.error is not None:
            logger.warning(
                "request (task %s) failed after %d attempts and %.3f s: %s: %s",
                response.task,
                len(response.attempts),
                response.duration,
                type(response.error).__name__,
                response.error,
            )
