"""Log lines for what did not go as planned; a healthy request logs nothing above DEBUG."""

import logging

from flyllm.errors import LLMError
from flyllm.observability.events import AttemptEvent, AttemptStart, InstanceEvent, Observer, RequestEvent

logger = logging.getLogger("flyllm.requests")
instances = logging.getLogger("flyllm.instances")

# An application that sets up no logging gets no lines on its stderr; one that does gets these by its own rules.
logging.getLogger("flyllm").addHandler(logging.NullHandler())


class RequestLog(Observer):
    """Writes one line per retry, failover, failed attempt and failed request, and per change of an instance.

    INFO is what a request overcomes; WARNING a request without an answer and an instance that is taken out.
    """

    def on_start(self, event: AttemptStart) -> None:
        """Log that a request is tried again."""
        if event.again and logger.isEnabledFor(logging.INFO):
            name, waited = event.instance_name, event.waited
            logger.info(
                "request %s: attempt %d at %s %s, after %.3f s", event.id, event.number, name, _way(event), waited
            )

    def on_attempt(self, event: AttemptEvent) -> None:
        """Log how an attempt ended."""
        attempt, name = event.attempt, event.attempt.instance_name
        if event.error is not None:
            message = "request %s: attempt %d at %s failed after %.3f s: %s: %s"
            logger.info(message, event.id, attempt.number, name, attempt.duration, attempt.outcome, attempt.error)
        elif logger.isEnabledFor(logging.DEBUG):
            message = "request %s: attempt %d at %s: %s in %.3f s"
            logger.debug(message, event.id, attempt.number, name, attempt.outcome, attempt.duration)

    def on_request(self, event: RequestEvent) -> None:
        """Log a request that got no answer."""
        response, error = event.response, event.response.error
        if error is not None:
            logger.warning(
                "request %s (task %s) failed after %d attempts and %.3f s: %s",
                event.id,
                response.task,
                len(response.attempts),
                response.duration,
                _reason(error),
            )

    def on_instance(self, event: InstanceEvent) -> None:
        """Log that an instance is left alone, or is back."""
        name, seconds, why = event.instance_name, event.seconds, _reason(event.error)
        if event.change == "recovered":
            instances.info("instance %s answers again", name)
        elif event.change == "cooling":
            instances.info("instance %s rests for %.1f s: %s", name, seconds, why)
        else:
            instances.warning("instance %s is taken out and tried again in %.1f s: %s", name, seconds, why)


def _way(event: AttemptStart) -> str:
    """Return in words what a further attempt is."""
    if event.chosen_because == "hedge":
        return "beside one that takes long"
    if event.before is None or event.before.instance_id == event.instance_id:
        return "as a retry"
    return f"as a failover from {event.before.instance_name}"


def _reason(error: LLMError | None) -> str:
    return f"{type(error).__name__}: {error}"
