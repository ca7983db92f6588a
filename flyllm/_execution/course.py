"""One way of some texts through one model, call after call."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import cast

from flyllm._execution.attempt import Trial
from flyllm._execution.chunks import WIDEST, next_chunk
from flyllm._execution.embedding_job import NEEDS, EmbeddingJob
from flyllm._execution.loop import AttemptLoop
from flyllm._resilience.classification import Exclusion
from flyllm._routing.instance import Demand, Instance
from flyllm._routing.route import Route
from flyllm._routing.token_estimate import text_size
from flyllm.errors import ParseError
from flyllm.providers.base import Embedded, Embedder, EmbeddingSpec
from flyllm.types import TokenUsage


@dataclass(frozen=True, slots=True)
class Part:
    """What one call brought."""

    trial: Trial
    found: Embedded

    def drop(self) -> None:
        """Nothing of it is held."""


class Course:
    """Embeds a job's texts; the first answer decides by which model.

    Vectors of different models cannot be compared, so the calls after the first one go to instances of its model only.
    `ruled_out` has an instance of each model that is not to be used.
    """

    def __init__(self, job: EmbeddingJob, loop: AttemptLoop, ruled_out: Sequence[Instance]) -> None:
        self._job, self._loop, self._ruled_out = job, loop, ruled_out
        self.parts: list[Part] = []
        self.vectors: list[tuple[float, ...]] = []

    @property
    def instance(self) -> Instance | None:
        """An instance of the model, once that is decided."""
        return self.parts[0].trial.instance if self.parts else None

    def run(self) -> None:
        """Embed all texts. Raises what the attempt loop raises for a call."""
        while len(self.vectors) < len(self._job.request.texts):
            self._job.route = self.route()
            part = self._loop.run(self._loop.steps(self._job), self._send)
            self.parts.append(part)
            self.vectors += part.found.vectors

    def route(self) -> Route:
        """Return where the next call may go."""
        instance = self.instance
        only = (instance.provider, instance.model) if instance is not None else None
        size = sum(map(text_size, self._chunk(instance)))
        # At most a token is written: none would mean that nobody knows.
        route = Route(self._job.request.task, Demand(size, 1), needs=NEEDS, only=only)
        for other in self._ruled_out:
            route.exclude(other, Exclusion.MODEL)
        return route

    @property
    def usage(self) -> TokenUsage:
        """The tokens of all calls that brought vectors."""
        return reduce(add, (part.found.usage for part in self.parts))

    @property
    def cost(self) -> float | None:
        """What these calls cost, None where that is not known of one."""
        costs = [part.trial.instance.price.of(part.found.usage) for part in self.parts]
        return None if None in costs else sum(filter(None, costs))

    def _send(self, trial: Trial) -> Part:
        request = replace(trial.request, texts=self._chunk(trial.instance))
        found = cast(Embedder, trial.instance.adapter).embed(request)
        before, now = (len(vectors[0]) for vectors in (self.vectors or found.vectors, found.vectors))
        if now != before:
            raise ParseError(f"the embeddings have {now} dimensions, those before them {before}")
        trial.succeed(found.usage, found.request_id, "", found.headers)
        return Part(trial, found)

    def _chunk(self, instance: Instance | None) -> tuple[str, ...]:
        spec: EmbeddingSpec | None = instance.api.embedding if instance is not None else None
        return next_chunk(self._job.request.texts, len(self.vectors), spec or WIDEST)
