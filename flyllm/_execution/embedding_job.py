"""Texts to embed, under way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from flyllm._execution.job import Job
from flyllm.providers.base import ApiSpec
from flyllm.providers.capabilities import EMBED
from flyllm.providers.params import unsupported
from flyllm.request import EMBEDDING_PARAMS, EmbeddingRequest

NEEDS = frozenset({EMBED})


@dataclass(slots=True)
class EmbeddingJob(Job):
    """All calls that one `embed` makes. Its route is another one for each of them."""

    request: EmbeddingRequest
    aside: ClassVar[bool] = True

    def unsupported(self, params: Mapping[str, Any], api: ApiSpec) -> tuple[str, ...]:
        """Return the common parameters among `params` that `api` cannot take where it embeds."""
        names = api.embedding.params if api.embedding is not None else {}
        return unsupported(params, names, EMBEDDING_PARAMS)
