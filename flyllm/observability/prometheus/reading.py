"""What is read of a manager for the gauges. The fields of `InstanceSnapshot`, by their names."""

from collections.abc import Sequence
from typing import Protocol


class InstanceReading(Protocol):
    """An instance as it was at one moment."""

    @property
    def id(self) -> int:
        """Its number in its manager."""

    @property
    def name(self) -> str:
        """As configured, or given by the manager."""

    @property
    def provider(self) -> str:
        """Its provider's name."""

    @property
    def model(self) -> str:
        """As configured."""

    @property
    def enabled(self) -> bool:
        """Whether its user has it given requests."""

    @property
    def in_flight(self) -> int:
        """Attempts under way."""

    @property
    def max_concurrency(self) -> int:
        """Attempts at once at most."""

    @property
    def health(self) -> str:
        """ "closed", "open" or "half_open"."""

    @property
    def cooling(self) -> float:
        """Seconds for which it asked to be left alone."""


class PoolSnapshot(Protocol):
    """A manager as it was at one moment."""

    @property
    def instances(self) -> Sequence[InstanceReading]:
        """All of them."""

    @property
    def waiting(self) -> int:
        """Requests that wait for an instance."""

    @property
    def retry_tokens(self) -> float:
        """Retries that may be made at once."""
