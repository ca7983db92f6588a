"""Google's batchEmbedContents: bodies and answers (ai.google.dev/api/embeddings, 2026-11)."""

from collections.abc import Mapping
from typing import Any

from flyllm.errors import ParseError
from flyllm.providers.base import Embedded, EmbeddingSpec, ProviderRequest
from flyllm.providers.embedding_wire import used
from flyllm.providers.failures import request_id
from flyllm.providers.params import wire_params
from flyllm.providers.payload import count, dicts
from flyllm.providers.vectors import checked
from flyllm.request import EMBEDDING_PARAMS


def body(request: ProviderRequest, spec: EmbeddingSpec) -> dict[str, Any]:
    """Return the body of a call: each text is a request with the parameters and the model's name."""
    model = request.model if "/" in request.model else f"models/{request.model}"
    params = wire_params(request.params, spec.params, EMBEDDING_PARAMS)
    return {
        "requests": [{"model": model, "content": {"parts": [{"text": text}]}, **params} for text in request.texts],
    }


def read(data: Mapping[str, Any], headers: Mapping[str, str], texts: int) -> Embedded:
    """Return the vectors in a reply; raise `ParseError` where they are not one for each of so many texts.

    Only newer models tell the tokens.
    """
    if not isinstance(data.get("embeddings"), list):
        raise ParseError("the answer has no embeddings", request_id=request_id(headers))
    return Embedded(
        vectors=checked([item.get("values") for item in dicts(data["embeddings"])], texts),
        usage=used(count(data, "usageMetadata", "promptTokenCount")),
        request_id=request_id(headers),
        headers=headers,
        raw=data,
    )
