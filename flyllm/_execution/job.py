"""A request under way: what was asked, until when, where it may go, and its ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, ClassVar

from flyllm._resilience.deadline import Deadline
from flyllm._routing.route import Route
from flyllm.errors import DeadlineExceededError
from flyllm.providers.base import ApiSpec
from flyllm.providers.params import unsupported
from flyllm.request import GenerationRequest
from flyllm.tasks import TaskDefinition
from flyllm.types import Attempt


@dataclass(slots=True)
class Job:
    """One request's state. Owned by the thread that runs it.

    `begun` counts its attempts, `hedged` says that one was made beside another, `idle_since` is when the last ended.
    `prefix` is what its answer has brought already, to be gone on from; `id` is its name in logs and traces.
    """

    aside: ClassVar[bool] = False
    """Whether it asks for something beside answers, which says nothing of how an instance answers."""

    request: GenerationRequest
    task: TaskDefinition | None
    deadline: Deadline
    route: Route
    started: float
    ledger: list[Attempt] = field(default_factory=list)
    idle_since: float = field(init=False)
    begun: int = 0
    hedged: bool = False
    prefix: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        self.idle_since = self.started

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The ledger in the order in which the attempts were begun; they end in another where one was hedged."""
        return tuple(sorted(self.ledger, key=attrgetter("number")) if self.hedged else self.ledger)

    def unsupported(self, params: Mapping[str, Any], api: ApiSpec) -> tuple[str, ...]:
        """Return the common parameters among `params` that `api` cannot take."""
        return unsupported(params, api.params)

    def late(self) -> DeadlineExceededError:
        """Return the error for this request when its deadline has passed."""
        if not self.ledger:
            return DeadlineExceededError("the request's deadline passed before it could be sent")
        last = self.ledger[-1]
        return DeadlineExceededError(
            f"the request's deadline passed after attempt {last.number} at {last.instance_name}: {last.error}"
        )


def messages_of(request: GenerationRequest) -> list[Mapping[str, Any]]:
    """Return the whole conversation: system prompt, messages, prompt."""
    messages: list[Mapping[str, Any]] = list(request.messages or ())
    if request.system:
        messages.insert(0, {"role": "system", "content": request.system})
    if request.prompt:
        messages.append({"role": "user", "content": request.prompt})
    return messages
