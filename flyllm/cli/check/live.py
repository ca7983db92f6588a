"""One tiny request to each instance, all at once, and what came of it."""

from contextlib import suppress
from dataclasses import dataclass, replace

from flyllm.config.model import ManagerConfig
from flyllm.errors import MissingDependencyError
from flyllm.manager import LLMManager
from flyllm.request import GenerationRequest
from flyllm.tasks import TaskDefinition
from flyllm.types import LLMResponse

PROMPT = "Reply with the word ok."

MAX_TOKENS = 64
"""Enough for models that think a little before they answer; an answer cut off here is one all the same."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What the instance called `name` said."""

    name: str
    response: LLMResponse

    @property
    def seconds(self) -> float:
        """How long the instance took; without the import of its SDK, waiting included where nothing was sent."""
        error = self.response.error
        attempts = self.response.attempts or (error.attempts if error is not None else ())
        return attempts[-1].duration if attempts else self.response.duration


def probe(config: ManagerConfig, timeout: float) -> list[Probe]:
    """Ask every enabled instance of `config`, within `timeout` seconds each. Nothing is asked twice."""
    with LLMManager(_apart(config)) as manager:
        with suppress(MissingDependencyError):  # which its instances report themselves
            manager.warm()  # lest the time of the imports is taken for the provider's
        asked = [snapshot for snapshot in manager.instances if snapshot.enabled]
        requests = [_request(snapshot.id, timeout) for snapshot in asked]
        responses = manager.batch_generate(requests, max_workers=max(1, len(requests)))
    return [Probe(snapshot.name, response) for snapshot, response in zip(asked, responses, strict=True)]


def _apart(config: ManagerConfig) -> ManagerConfig:
    """Return `config` with a task for each instance, by which a request goes to that one and to no other."""
    instances = tuple(replace(instance, tasks=(_task(n),)) for n, instance in enumerate(config.instances))
    return replace(
        config, instances=instances, tasks=tuple(TaskDefinition(_task(n)) for n in range(len(instances))), max_retries=0
    )


def _task(number: int) -> str:
    return f"instance {number}"


def _request(number: int, timeout: float) -> GenerationRequest:
    return GenerationRequest(PROMPT, _task(number), {"max_tokens": MAX_TOKENS}, timeout=timeout)
