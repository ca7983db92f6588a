"""What an `LLMManager` can do with texts that are to be embedded."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

from flyllm.errors import ConfigError
from flyllm.request import EmbeddingRequest
from flyllm.types import EmbeddingResponse


class EmbedMethods:
    """The part of a manager that embeds texts."""

    def _embed(self, request: EmbeddingRequest) -> EmbeddingResponse:
        raise NotImplementedError

    def embed(
        self,
        texts: str | Iterable[str],
        *,
        task: str | None = None,
        timeout: float | None = None,
        provider_params: Mapping[str, Mapping[str, Any]] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **params: Any,
    ) -> EmbeddingResponse:
        """Return the vectors of texts, all by one model: `embed(["a", "b"], task="index", dimensions=256).embeddings`.

        Texts beyond what a provider takes in one call are sent in several, one after the other, to any instances of
        the same provider and model. Where these cannot finish it, all begins again at another model.

        Args:
            texts: a single text is a list of one.
            task: routes to the instances that support it; without one to all whose provider has embeddings, those of
                chat models among them.
            timeout: seconds over all calls, waiting and retries; None takes the task's, then the manager's.
            provider_params, metadata: as of a `GenerationRequest`.
            params: `dimensions` is translated for each provider, others are passed through (such as Cohere's
                `input_type`, "search_document" by default); those of the task and the instance come before them.

        Raises the LLMError that its owner can act on best, with all attempts in `error.attempts`: nothing is returned
        unless there are vectors for all texts.
        """
        return self._embed(
            EmbeddingRequest(
                texts=_texts(texts),
                task=task,
                timeout=timeout,
                params=params,
                provider_params=provider_params,
                metadata=metadata,
            )
        )


def _texts(given: Any) -> tuple[Any, ...]:
    if isinstance(given, str):
        return (given,)
    if isinstance(given, Mapping | Set | bytes | bytearray) or not isinstance(given, Iterable):
        raise ConfigError(f"texts must be text or a list of texts, not {type(given).__name__}")
    return tuple(given)
