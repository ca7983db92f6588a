"""How long to pause when every instance has been tried.

Full jitter: a random time up to a bound that doubles (the shape of AWS's "Exponential Backoff And Jitter", 2015;
half a second growing to eight are the openai SDK's constants).
"""

from flyllm._clock import Clock

INITIAL = 0.5
CEILING = 8.0


def full_jitter(rounds: int, clock: Clock) -> float:
    """Return seconds to pause after `rounds` full rounds over all instances (1 for the first)."""
    return clock.uniform(0.0, min(CEILING, INITIAL * 2.0 ** min(rounds - 1, 16)))


def respectful(retry_after: float, clock: Clock) -> float:
    """Return seconds to leave an instance alone that asked for `retry_after`: never less, and not all at once."""
    return retry_after * clock.uniform(1.0, 1.1)
