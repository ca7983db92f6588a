"""What `run_tools` returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyllm.types import Attempt, LLMResponse, TokenUsage


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A conversation in which a model had functions called.

    Attributes:
        response: the last answer.
        messages: the whole conversation, system prompt included, ready to be gone on with. Of a run that was broken
            off, as far as every call has its result.
        rounds: how many answers there were. `usage`, `cost`: of all of them; `cost` is None where one's is not known.
        attempts: the ledger of all rounds, one `Attempt` per wire call; each round numbers them from 1.
    """

    response: "LLMResponse"
    messages: tuple[Mapping[str, Any], ...]
    rounds: int
    usage: "TokenUsage"
    cost: float | None
    attempts: "tuple[Attempt, ...]"

    @property
    def content(self) -> str:
        """The text of the last answer."""
        return self.response.content
