"""The simulated providers embed as the real ones do, and refuse what those refuse, in their words."""

from math import hypot
from random import Random
from typing import Any

import pytest

from flyllm.testing import Call, ErrorKind, Operation
from flyllm.testing.answers import vectors
from flyllm.testing.wires.base import BadRequest, Wire
from flyllm.testing.wires.registry import ROWS, wires


def wire(provider: str, place: int = 0) -> Wire:
    return wires(provider)[place]


def read(provider: str, texts: list[Any], place: int = 0, **fields: Any) -> Call:
    """Read a request for embeddings of `texts` as the wire of `provider` does."""
    body: dict[str, Any] = {"model": "m", "input": texts, **fields}
    if provider == "google" and not place:
        body = {"requests": [{"content": {"parts": [{"text": text}]}, **fields} for text in texts]}
    elif provider == "cohere":
        body = {"model": "m", "texts": texts, "input_type": "search_query", **fields}
    return wire(provider, place).read(Operation.EMBEDDINGS, "/v1beta/models/m:batchEmbedContents", body)


@pytest.mark.parametrize(
    ("provider", "place", "most", "words"),
    [
        ("openai", 0, 2048, "array too long. Expected an array with maximum length 2048, but got 2049"),
        ("google", 0, 100, "at most 100 requests can be in one batch"),
        ("google", 1, 100, "at most 100 requests can be in one batch"),
        ("mistral", 0, 512, "Too many inputs in request"),
        ("cohere", 0, 96, "at most 96 - received 97"),
        ("perplexity", 1, 512, "maximum length 512, but got 513"),
    ],
)
def test_one_text_too_many_is_refused(provider: str, place: int, most: int, words: str) -> None:
    assert len(read(provider, ["a"] * most, place).inputs) == most
    with pytest.raises(BadRequest) as caught:
        read(provider, ["a"] * (most + 1), place)
    assert words in caught.value.message
    reply = wire(provider, place).error(caught.value.kind, caught.value.message, Random(1), caught.value.param)
    assert reply.status in (400, 422)


@pytest.mark.parametrize(("provider", "place", "most"), [("openai", 0, 300_000), ("mistral", 0, 16_384)])
def test_too_many_tokens_are_refused(provider: str, place: int, most: int) -> None:
    """A token is four characters here."""
    read(provider, ["abcd" * (most // 4)] * 4, place)
    with pytest.raises(BadRequest, match=str(most)):
        read(provider, [*["abcd" * (most // 4)] * 4, "a"], place)


@pytest.mark.parametrize(("provider", "place"), [("openai", 0), ("google", 0), ("google", 1), ("perplexity", 1)])
def test_an_empty_text_is_refused(provider: str, place: int) -> None:
    with pytest.raises(BadRequest):
        read(provider, ["a", ""], place)


@pytest.mark.parametrize(("provider", "place"), [("mistral", 0), ("cohere", 0), ("ollama", 0), ("togetherai", 0)])
def test_an_empty_text_is_embedded_where_nothing_forbids_it(provider: str, place: int) -> None:
    assert read(provider, ["a", ""], place).inputs == ("a", "")


@pytest.mark.parametrize(
    ("provider", "place", "name"),
    [
        ("openai", 0, "dimensions"),
        ("google", 0, "outputDimensionality"),
        ("google", 0, "output_dimensionality"),
        ("mistral", 0, "output_dimension"),
        ("cohere", 0, "output_dimension"),
        ("perplexity", 1, "dimensions"),
        ("ollama", 0, "dimensions"),
        ("ollama", 1, "dimensions"),
    ],
)
def test_dimensions_are_asked_for_by_name(provider: str, place: int, name: str) -> None:
    assert read(provider, ["a"], place, **{name: 5}).dimensions == 5
    assert read(provider, ["a"], place).dimensions is None
    with pytest.raises(BadRequest):
        read(provider, ["a"], place, **{name: "five"})


def test_together_and_lm_studio_know_no_dimensions() -> None:
    for provider in ("togetherai", "lmstudio"):
        assert read(provider, ["a"], dimensions=5).dimensions is None


def test_google_takes_the_dimensions_in_the_newer_place_too() -> None:
    assert read("google", ["a"], embedContentConfig={"outputDimensionality": 5}).dimensions == 5


@pytest.mark.parametrize("provider", ["anthropic", "groq"])
def test_providers_without_embeddings_know_no_such_path(provider: str) -> None:
    for path in ("/v1/embeddings", "/openai/v1/embeddings"):
        assert all(each.operation("POST", path, {}) is None for each in wires(provider))


def test_usual_models_have_their_usual_dimensions() -> None:
    """Every embedding model that a simulated provider lists is among them."""
    for row in ROWS.values():
        for model in row.models:
            if "embed" in model or "e5-" in model:
                (vector,) = vectors(Call(Operation.EMBEDDINGS, model, "a", {}, ("a",)))
                assert len(vector) >= 768
                assert hypot(*vector) == pytest.approx(1.0, abs=1e-6)


def test_perplexity_sends_small_integers() -> None:
    """A byte a number, as base64, whatever the request says."""
    call = read("perplexity", ["a"], 1)
    answer = wire("perplexity", 1).embeddings(call, [[1.0, -1.0, 0.5]], Random(1))
    assert answer["data"][0]["embedding"] == "f4FA"


def test_mistral_refuses_with_its_code() -> None:
    reply = wire("mistral").error(ErrorKind.INVALID_REQUEST, "Too many inputs in request, split.", Random(1))
    assert b'"code":"3210"' in reply.body
