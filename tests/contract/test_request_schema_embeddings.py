"""Bodies that ask for embeddings are what the providers describe, and what their own SDKs send."""

from collections.abc import Callable, Iterator
from typing import Any

import ollama
import openai
import pytest
from google.genai import types

from flyllm import LLMManager
from flyllm.testing import ProviderSimulator
from tests.contract.native_sdks import CohereSdk, GoogleSdk, MistralSdk
from tests.contract.specs import faults, validator

MODELS = {"google": "gemini-embedding-001"}
GOLDEN: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("openai", "chat_completions"): (
        "/v1/embeddings",
        {"model": "m", "input": ["a", "b"], "dimensions": 8, "encoding_format": "base64", "user": "u"},
    ),
    ("openai", "responses"): (
        "/v1/embeddings",
        {"model": "m", "input": ["a", "b"], "dimensions": 8, "encoding_format": "base64", "user": "u"},
    ),
    ("google", "generate_content"): (
        "/v1beta/models/gemini-embedding-001:batchEmbedContents",
        {
            "requests": [
                {
                    "model": "models/gemini-embedding-001",
                    "content": {"parts": [{"text": text}]},
                    "outputDimensionality": 8,
                    "taskType": "RETRIEVAL_QUERY",
                }
                for text in ("a", "b")
            ]
        },
    ),
    ("google", "chat_completions"): (
        "/v1beta/openai/embeddings",
        {"model": "gemini-embedding-001", "input": ["a", "b"], "dimensions": 8},
    ),
    ("mistral", "chat_completions"): (
        "/v1/embeddings",
        {"model": "m", "input": ["a", "b"], "output_dimension": 8, "output_dtype": "float"},
    ),
    ("cohere", "chat"): (
        "/v2/embed",
        {
            "model": "m",
            "texts": ["a", "b"],
            "input_type": "search_query",
            "output_dimension": 8,
            "embedding_types": ["float"],
        },
    ),
    ("togetherai", "chat_completions"): ("/v1/embeddings", {"model": "m", "input": ["a", "b"]}),
    ("perplexity", "responses"): (
        "/v1/embeddings",
        {"model": "m", "input": ["a", "b"], "dimensions": 8, "encoding_format": "base64_int8"},
    ),
    ("ollama", "chat"): (
        "/api/embed",
        {"model": "m", "input": ["a", "b"], "dimensions": 8, "truncate": False, "options": {"num_ctx": 512}},
    ),
    ("ollama", "chat_completions"): ("/v1/embeddings", {"model": "m", "input": ["a", "b"], "dimensions": 8}),
    ("lmstudio", "chat_completions"): ("/v1/embeddings", {"model": "m", "input": ["a", "b"]}),
}
OWN: dict[tuple[str, str], dict[str, Any]] = {
    ("openai", "chat_completions"): {"user": "u"},
    ("openai", "responses"): {"user": "u"},
    ("google", "generate_content"): {"taskType": "RETRIEVAL_QUERY"},
    ("mistral", "chat_completions"): {"output_dtype": "float"},
    ("cohere", "chat"): {"input_type": "search_query"},
    ("ollama", "chat"): {"truncate": False, "num_ctx": 512},
}


@pytest.fixture(scope="module")
def sim() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as simulator:
        yield simulator


def sent(
    sim: ProviderSimulator, provider: str, api: str, texts: list[str], **params: Any
) -> tuple[str, dict[str, Any]]:
    """Return path and body of one request of ours."""
    server = sim[provider]
    server.reset()
    builder = LLMManager.builder().add_instance(
        provider, MODELS.get(provider, "m"), "key-123456", api=api, endpoint=server.url
    )
    with builder.max_retries(0).build() as manager:
        manager.embed(texts, **params)
    (request,) = server.requests
    return request.path, request.body


@pytest.mark.parametrize("row", GOLDEN, ids="-".join)
def test_a_request_is_word_for_word_what_is_documented(sim: ProviderSimulator, row: tuple[str, str]) -> None:
    assert sent(sim, *row, ["a", "b"], dimensions=8, **OWN.get(row, {})) == GOLDEN[row]


@pytest.mark.parametrize(
    ("row", "document", "schema"),
    [
        (("openai", "chat_completions"), "openai", "CreateEmbeddingRequest"),
        (("google", "generate_content"), "gemini", "Req_BatchEmbedContentsRequest"),
        (("ollama", "chat"), "ollama", "EmbedRequest"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_body_is_what_the_provider_describes(
    sim: ProviderSimulator, row: tuple[str, str], document: str, schema: str
) -> None:
    check = validator(document, schema)
    for texts in (["a"], [f"text {n}" for n in range(96)]):
        for params in ({}, {"dimensions": 8}, {"dimensions": 8, **OWN[row]}):
            assert faults(check, sent(sim, *row, texts, **params)[1]) == []


def by_openai(url: str) -> None:
    with openai.OpenAI(api_key="key-123456", base_url=f"{url}/v1") as client:
        client.embeddings.create(model="m", input=["a", "b"], dimensions=8, user="u")


def by_google(url: str) -> None:
    with GoogleSdk()._models(url) as models:
        config = types.EmbedContentConfig(output_dimensionality=8, task_type="RETRIEVAL_QUERY")
        models.embed_content(model="gemini-embedding-001", contents=["a", "b"], config=config)


def by_mistral(url: str) -> None:
    with MistralSdk()._client(url) as client:
        client.embeddings.create(model="m", inputs=["a", "b"], output_dimension=8, output_dtype="float")


def by_cohere(url: str) -> None:
    asked: Any = {"input_type": "search_query", "embedding_types": ["float"], "output_dimension": 8}
    with CohereSdk()._client(url) as client:
        client.embed(model="m", texts=["a", "b"], **asked)


def by_ollama(url: str) -> None:
    with ollama.Client(host=url) as client:
        client.embed(model="m", input=["a", "b"], dimensions=8, truncate=False, options={"num_ctx": 512})


@pytest.mark.parametrize(
    ("row", "ask"),
    [
        (("openai", "chat_completions"), by_openai),
        (("google", "generate_content"), by_google),
        (("mistral", "chat_completions"), by_mistral),
        (("cohere", "chat"), by_cohere),
        (("ollama", "chat"), by_ollama),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_request_is_what_the_provider_s_own_sdk_sends(
    sim: ProviderSimulator, row: tuple[str, str], ask: Callable[[str], None]
) -> None:
    server = sim[row[0]]
    server.reset()
    ask(server.url)
    (request,) = server.requests
    path, body = GOLDEN[row]
    assert (request.path, _plain(request.body)) == (path, _plain(body))


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """Leave out the role of a text, which the google SDK adds and the API does not need here."""
    for request in body.get("requests", ()):
        request["content"].pop("role", None)
    return body
