"""Rate limits as providers apply them: a bucket per minute for requests, one for tokens. Time comes in."""

from dataclasses import dataclass

from flyllm.testing.wires.base import Limits


@dataclass(slots=True)
class Bucket:
    """So many units per minute: full at the start, refilled evenly."""

    per_minute: int
    level: float
    updated: float

    @classmethod
    def full(cls, per_minute: int, now: float) -> "Bucket":
        """Return a bucket that was not used yet."""
        return cls(per_minute, float(per_minute), now)

    def wait(self, amount: float, now: float) -> float:
        """Return the seconds until `amount` fits, 0.0 where it does now."""
        self.level = min(self.per_minute, self.level + (now - self.updated) * self.per_minute / 60)
        self.updated = now
        # More than the whole bucket never fits; it passes when the bucket is full.
        missing = min(amount, self.per_minute) - self.level
        return max(0.0, missing * 60 / self.per_minute)

    def take(self, amount: float) -> None:
        """Take `amount` out, below zero if need be."""
        self.level -= amount

    @property
    def remaining(self) -> int:
        """Whole units left."""
        return max(0, int(self.level))

    @property
    def reset(self) -> float:
        """Seconds until the bucket is full again."""
        return (self.per_minute - self.level) * 60 / self.per_minute


class RateLimiter:
    """Requests and tokens per minute of one instance; None is no limit."""

    def __init__(self, rpm: int | None, tpm: int | None, now: float) -> None:
        self._requests = Bucket.full(rpm, now) if rpm else None
        self._tokens = Bucket.full(tpm, now) if tpm else None

    def admit(self, tokens: int, now: float) -> float:
        """Take one request of `tokens` prompt tokens and return 0.0; or take nothing and return the seconds to wait."""
        wait = max(
            self._requests.wait(1, now) if self._requests else 0.0,
            self._tokens.wait(tokens, now) if self._tokens else 0.0,
        )
        if not wait:
            if self._requests:
                self._requests.take(1)
            self.spend(tokens)
        return wait

    def spend(self, tokens: int) -> None:
        """Take the answer's tokens, which were not known before."""
        if self._tokens:
            self._tokens.take(tokens)

    @property
    def state(self) -> Limits:
        """What the provider tells in its headers."""
        r, t = self._requests, self._tokens
        return Limits(
            requests=r.per_minute if r else None,
            remaining_requests=r.remaining if r else None,
            reset_requests=r.reset if r else None,
            tokens=t.per_minute if t else None,
            remaining_tokens=t.remaining if t else None,
            reset_tokens=t.reset if t else None,
        )
