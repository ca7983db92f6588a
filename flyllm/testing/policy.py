"""The rules an instance applies before it answers: keys, models and limits."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules of one simulated provider.

    Args:
        keys: API keys that are accepted; None accepts any, but asks for one where the provider does.
        models: models that exist; None accepts any name and lists the provider's usual ones.
        rpm, tpm: requests and tokens per minute; None does not limit. Prompt tokens must fit, the
            answer's are taken afterwards.
        concurrency: requests at once; None does not limit.
        idle_timeout: seconds after which an idle connection is closed; None keeps it open.
    """

    keys: Collection[str] | None = None
    models: Collection[str] | None = None
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    idle_timeout: float | None = None
