"""What became of an instance with the end of an attempt, told to those who watch."""

from flyllm._routing.instance import InstanceState
from flyllm.errors import LLMError
from flyllm.observability.events import Change, InstanceEvent


def change(
    state: InstanceState, *, was_closed: bool, cooled_until: float, error: LLMError | None, now: float
) -> InstanceEvent | None:
    """Return the event where the breaker has opened or closed, or a rest has begun; None where all is as it was."""
    closed = state.breaker.closed
    if was_closed and not closed:
        return _event(state, "ejected", state.breaker.ready_at(alone=False) - now, error)
    if closed and not was_closed:
        return _event(state, "recovered")
    if closed and cooled_until <= now < state.cool_until:
        return _event(state, "cooling", state.cool_until - now, error)
    return None


def _event(
    state: InstanceState, what: Change, seconds: float | None = None, error: LLMError | None = None
) -> InstanceEvent:
    return InstanceEvent(state.id, state.name, state.provider, state.model, what, seconds, error)
