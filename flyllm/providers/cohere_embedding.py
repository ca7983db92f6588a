"""Cohere's embed API v2: bodies and answers (docs.cohere.com/reference/embed, 2026-11)."""

from collections.abc import Mapping
from typing import Any

from flyllm.errors import ParseError
from flyllm.providers.base import Embedded, EmbeddingSpec, ProviderRequest
from flyllm.providers.embedding_wire import used
from flyllm.providers.failures import request_id
from flyllm.providers.params import wire_params
from flyllm.providers.payload import count, mapping, text_of
from flyllm.providers.vectors import checked
from flyllm.request import EMBEDDING_PARAMS

INPUT_TYPE = "search_document"
"""What the texts are where no parameter says so; the API must be told. Of queries it is "search_query"."""


def body(request: ProviderRequest, spec: EmbeddingSpec) -> dict[str, Any]:
    """Return the body of a call."""
    params = wire_params(request.params, spec.params, EMBEDDING_PARAMS)
    return {
        "model": request.model,
        "texts": list(request.texts),
        "input_type": INPUT_TYPE,
        **params,
        **spec.fixed,
    }


def read(data: Mapping[str, Any], headers: Mapping[str, str], texts: int) -> Embedded:
    """Return the vectors in a reply; raise `ParseError` where they are not one for each of so many texts."""
    found = mapping(data.get("embeddings")).get("float")
    if not isinstance(found, list):
        raise ParseError("the answer has no embeddings", request_id=request_id(headers))
    return Embedded(
        vectors=checked(found, texts),
        usage=used(count(data, "meta", "billed_units", "input_tokens")),
        request_id=request_id(headers) or text_of(data.get("id")) or None,
        headers=headers,
        raw=data,
    )
