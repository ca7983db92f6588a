"""Usage as a value: what a manager's requests took, in total, per instance and per task."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from flyllm.types import TokenUsage


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Requests that ended: with an answer, or with an error."""

    succeeded: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class AttemptCounts:
    """Attempts that ended: with an answer, with an error, given up by the caller, beaten by one made beside them."""

    succeeded: int = 0
    failed: int = 0
    abandoned: int = 0
    outrun: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What `attempts` took together: tokens, and their cost by the instances' prices.

    A number is the sum of what is known, None where nothing is. `unknown` says by the number's name ("prompt_tokens",
    ..., "cost") how many attempts gave none, so that it may be larger; `estimated` for how many flyllm
    estimated it. What a provider refused, or never got, took nothing.
    """

    attempts: int = 0
    tokens: TokenUsage = TokenUsage(0, 0, 0, 0, 0)
    cost: float | None = 0.0
    unknown: Mapping[str, int] = field(default_factory=dict)
    estimated: Mapping[str, int] = field(default_factory=dict)

    def source(self, name: str) -> Literal["reported", "estimated", "unknown"]:
        """Return where the number `name` comes from: "estimated" where a part of it is."""
        if (self.cost if name == "cost" else getattr(self.tokens, name)) is None:
            return "unknown"
        return "estimated" if name in self.estimated else "reported"

    def to_dict(self) -> dict[str, Any]:
        """Return this as JSON has it."""
        numbers = asdict(self.tokens)
        del numbers["estimated"]  # below, with how often
        unsure = {"unknown": dict(self.unknown), "estimated": dict(self.estimated)}
        return {"attempts": self.attempts, **numbers, "cost": self.cost, **unsure}


@dataclass(frozen=True, slots=True)
class UsageEntry:
    """The usage of an instance or a task, or the total, as `name` says.

    Attributes:
        requests: those of an instance are the ones that it answered, or whose error came from it.
        attempts: by their outcome.
        spent: what all attempts took; `answers` and `discarded` are its two parts.
        answers: what the attempts that brought an answer took.
        discarded: what the others took: failed, given up or interrupted, or beaten by another one.
        price_sources: where the prices come from: "configured" or "genai-prices <version>"; none where not known.
        instance_id: None but for an instance, as are `provider` and `model`.
    """

    name: str
    requests: RequestCounts = RequestCounts()
    attempts: AttemptCounts = AttemptCounts()
    spent: Spent = Spent()
    answers: Spent = Spent()
    discarded: Spent = Spent()
    price_sources: tuple[str, ...] = ()
    instance_id: int | None = None
    provider: str | None = None
    model: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return this as JSON has it."""
        place = {"instance_id": self.instance_id, "provider": self.provider, "model": self.model}
        return {
            "name": self.name,
            **(place if self.instance_id is not None else {}),
            "requests": asdict(self.requests),
            "attempts": asdict(self.attempts),
            "spent": self.spent.to_dict(),
            "answers": self.answers.to_dict(),
            "discarded": self.discarded.to_dict(),
            "price_sources": list(self.price_sources),
        }


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What the requests that ended `since` (seconds since the epoch) took.

    `instances` are in the order of their ids, also those not used yet. `tasks` are in the order of their names;
    requests without a task are under "default", those with one that is not defined under "unknown".
    """

    since: float
    total: UsageEntry
    instances: tuple[UsageEntry, ...] = ()
    tasks: tuple[UsageEntry, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return this as JSON has it."""
        return {
            "since": self.since,
            "total": self.total.to_dict(),
            "instances": [entry.to_dict() for entry in self.instances],
            "tasks": [entry.to_dict() for entry in self.tasks],
        }
