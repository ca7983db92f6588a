"""One request of a batch."""

from dataclasses import dataclass
from typing import Any

from flyllm.request import GenerationRequest
from flyllm.types import LLMResponse


@dataclass(frozen=True, slots=True)
class Item:
    """A request, its place in the batch, and its entry in the journal where there is one."""

    index: int
    request: GenerationRequest
    entry: Any = None


Done = tuple[Item, LLMResponse]
