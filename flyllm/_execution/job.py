"""A request under way: what was asked, until when, where it may go, and its ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, ClassVar

from flyllm._execution.correction import correction
from flyllm._resilience.deadline import Deadline
from flyllm._routing.route import Route
from flyllm.errors import DeadlineExceededError, InvalidOutputError
from flyllm.images import prompt_content
from flyllm.providers.base import ApiSpec
from flyllm.providers.params import unsupported
from flyllm.request import GenerationRequest
from flyllm.structured import Form
from flyllm.tasks import TaskDefinition
from flyllm.types import Attempt


@dataclass(slots=True)
class Job:
    """One request's state. Owned by the thread that runs it.

    `begun` counts its attempts, `hedged` says that one was made beside another, `idle_since` is when the last ended.
    `prefix` is what its answer has brought already, to be gone on from; `form` is what the answer must look like, None
    for any text; `corrections` is what the model is told of a wrong one, `corrected` how often it was; `id` is its name
    in logs and traces.
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
    form: Form | None = None
    corrections: Sequence[Mapping[str, Any]] = ()
    corrected: int = 0
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

    def correct(self, error: InvalidOutputError) -> bool:
        """Have the model told what is wrong with its answer, if that may still be; return whether it may."""
        self.corrected += 1
        allowed = self.corrected <= self.request.retry_invalid
        self.corrections = correction(error) if allowed else ()  # others are asked as the first one was
        return allowed

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
    if content := prompt_content(request):
        messages.append({"role": "user", "content": content})
    return messages
