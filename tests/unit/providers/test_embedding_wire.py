"""The embeddings wire, and what its followers make of it."""

from typing import Any

import pytest

from flyllm import ParseError, TokenUsage
from flyllm.providers import cohere_embedding, embedding_wire, google_embedding, ollama_embedding
from flyllm.providers.base import EmbeddingSpec, ProviderRequest

SPEC = EmbeddingSpec("/embeddings", 9, None, {"dimensions": "size"}, {"encoding_format": "base64"})


def answer(*items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"object": "list", "data": list(items), "model": "m-2", **fields}


def item(value: float, **fields: Any) -> dict[str, Any]:
    return {"object": "embedding", "embedding": [value], **fields}


def test_the_index_says_whose_a_vector_is() -> None:
    found = embedding_wire.read(answer(item(2.0, index=1), item(1.0, index=0)), {}, 2, SPEC)
    assert found.vectors == [(1.0,), (2.0,)]


def test_without_an_index_they_are_as_they_came() -> None:
    assert embedding_wire.read(answer(item(2.0), item(1.0)), {}, 2, SPEC).vectors == [(2.0,), (1.0,)]


@pytest.mark.parametrize("indexes", [(0, 0), (1, 2), (0, None), (0, "1"), (-1, 0)])
def test_vectors_that_are_nobody_s_are_no_answer(indexes: tuple[Any, Any]) -> None:
    with pytest.raises(ParseError, match="not numbered as the texts are"):
        embedding_wire.read(answer(*(item(1.0, index=index) for index in indexes)), {}, 2, SPEC)


def test_usage_is_what_was_told() -> None:
    told = {"prompt_tokens": 7, "total_tokens": 7}
    assert embedding_wire.read(answer(item(1.0), usage=told), {}, 1, SPEC).usage == TokenUsage(7, 0, 7)
    assert embedding_wire.read(answer(item(1.0), usage=None), {}, 1, SPEC).usage == TokenUsage()
    assert embedding_wire.read(answer(item(1.0)), {}, 1, SPEC).usage == TokenUsage()


def test_newer_models_of_google_tell_their_tokens() -> None:
    data = {"embeddings": [{"values": [1.0]}], "usageMetadata": {"promptTokenCount": 4}}
    assert google_embedding.read(data, {}, 1).usage == TokenUsage(4, 0, 4)


@pytest.mark.parametrize("read", [cohere_embedding.read, google_embedding.read, ollama_embedding.read])
@pytest.mark.parametrize("data", [{}, {"embeddings": None}, {"embeddings": {}}, {"embeddings": {"int8": [[1]]}}])
def test_an_answer_without_embeddings_is_none(read: Any, data: dict[str, Any]) -> None:
    with pytest.raises(ParseError, match="the answer has no embeddings"):
        read(data, {}, 1)


def test_what_the_body_must_have_no_parameter_changes() -> None:
    """Vectors are read by how they were asked for."""
    request = ProviderRequest("m", [], {"encoding_format": "float", "dimensions": None, "seed": 1}, texts=["a"])
    assert embedding_wire.body(request, SPEC) == {"model": "m", "input": ["a"], "encoding_format": "base64"}


def test_a_text_for_cohere_is_a_document_unless_a_parameter_says_otherwise() -> None:
    for params, kind in (({}, "search_document"), ({"input_type": "clustering"}, "clustering")):
        assert cohere_embedding.body(ProviderRequest("m", [], params, texts=["a"]), SPEC)["input_type"] == kind


def test_google_s_models_may_be_written_with_their_collection() -> None:
    for model in ("models/e", "e"):
        (request,) = google_embedding.body(ProviderRequest(model, [], texts=["a"]), SPEC)["requests"]
        assert request == {"model": "models/e", "content": {"parts": [{"text": "a"}]}}
