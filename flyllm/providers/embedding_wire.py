"""The embeddings wire as OpenAI defined it and most others serve it: bodies and answers."""

from collections.abc import Mapping
from typing import Any

from flyllm.errors import ParseError
from flyllm.providers.base import Embedded, EmbeddingSpec, ProviderRequest
from flyllm.providers.failures import request_id
from flyllm.providers.params import wire_params
from flyllm.providers.payload import count, dicts, mapping, text_of, usage
from flyllm.providers.vectors import Packing, checked
from flyllm.request import EMBEDDING_PARAMS
from flyllm.types import TokenUsage


def body(request: ProviderRequest, spec: EmbeddingSpec) -> dict[str, Any]:
    """Return the body of a call."""
    params = wire_params(request.params, spec.params, EMBEDDING_PARAMS)
    return {"model": request.model, "input": list(request.texts), **params, **spec.fixed}


def read(data: Mapping[str, Any], headers: Mapping[str, str], texts: int, spec: EmbeddingSpec) -> Embedded:
    """Return the vectors in a reply; raise `ParseError` where they are not one for each of so many texts."""
    packing: Packing = "b" if spec.fixed.get("encoding_format") == "base64_int8" else "f"
    return Embedded(
        vectors=checked(_in_order(dicts(data.get("data"))), texts, packing),
        usage=used(count(mapping(data.get("usage")), "prompt_tokens")),
        model=text_of(data.get("model")) or None,
        request_id=request_id(headers) or text_of(data.get("id")) or None,
        headers=headers,
        raw=data,
    )


def used(tokens: int | None) -> TokenUsage:
    """Return the usage of a call that took so many tokens: nothing is written, so these are all."""
    return usage(tokens, 0) if tokens is not None else TokenUsage()


def _in_order(items: list[dict[str, Any]]) -> list[Any]:
    """Return the embeddings by their `index`, which says whose they are; as they came where none has one."""
    if any("index" in item for item in items):
        places = {item.get("index"): item.get("embedding") for item in items}
        if len(places) != len(items) or places.keys() != set(range(len(items))):
            raise ParseError("the embeddings are not numbered as the texts are")
        return [places[place] for place in range(len(items))]
    return [item.get("embedding") for item in items]
