"""Ollama's own embed API: bodies and answers (docs.ollama.com/api/embed, 2026-11)."""

from collections.abc import Mapping
from typing import Any

from flyllm.errors import ParseError
from flyllm.providers.base import Embedded, EmbeddingSpec, ProviderRequest
from flyllm.providers.embedding_wire import used
from flyllm.providers.failures import request_id
from flyllm.providers.params import wire_params
from flyllm.providers.payload import count, text_of
from flyllm.providers.vectors import checked
from flyllm.request import EMBEDDING_PARAMS

_TOP_LEVEL = ("dimensions", "truncate", "keep_alive")


def body(request: ProviderRequest, spec: EmbeddingSpec) -> dict[str, Any]:
    """Return the body of a call. Other parameters than the API's own are options of the model."""
    params = wire_params(request.params, spec.params, EMBEDDING_PARAMS)
    built: dict[str, Any] = {"model": request.model, "input": list(request.texts)}
    built |= {name: params.pop(name) for name in _TOP_LEVEL if name in params}
    options = {**params.pop("options", {}), **params}
    return {**built, "options": options} if options else built


def read(data: Mapping[str, Any], headers: Mapping[str, str], texts: int) -> Embedded:
    """Return the vectors in a reply; raise `ParseError` where they are not one for each of so many texts."""
    if not isinstance(data.get("embeddings"), list):
        raise ParseError("the answer has no embeddings", request_id=request_id(headers))
    return Embedded(
        vectors=checked(data["embeddings"], texts),
        usage=used(count(data, "prompt_eval_count")),
        model=text_of(data.get("model")) or None,
        request_id=request_id(headers),
        headers=headers,
        raw=data,
    )
