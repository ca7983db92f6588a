"""How much a model is to think, and what it thought: every row over its real SDK, against servers that check the words.

The expected fields stand in `effort_cases`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from flyllm import ConfigError, InvalidRequestError, LLMManager, LLMResponse, StreamChunk
from flyllm.providers.registry import REGISTRY
from flyllm.testing import ProviderSimulator, Reply, SimulatedProvider
from tests.contract.effort_cases import CASES, FIELDS, WITHOUT, WORDS, Case, Json

EVERY = pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.provider}-{c.api}-{c.model}")


@dataclass
class Place:
    """A manager of one instance, and its server."""

    server: SimulatedProvider
    manager: LLMManager

    def body(self) -> Json:
        body: Json = self.server.requests[-1].body
        return {name: value for name, value in body.items() if name in FIELDS}


@pytest.fixture(scope="module")
def place() -> Iterator[Callable[[str, str, str], Place]]:
    made: dict[tuple[str, str, str], Place] = {}
    with ProviderSimulator() as simulator:

        def make(provider: str, api: str, model: str) -> Place:
            key = (provider, api, model)
            if key not in made:
                server = simulator.add(provider, name="-".join(key))
                builder = LLMManager.builder().add_instance(provider, model, "sk-key", api=api, endpoint=server.url)
                made[key] = Place(server, builder.max_retries(0).build())
            made[key].server.reset()
            made[key].manager.enable(0)
            return made[key]

        yield make
        for each in made.values():
            each.manager.close()


def of(case: Case, place: Callable[[str, str, str], Place]) -> Place:
    return place(case.provider, case.api, case.model)


def streamed(where: Place, word: str) -> tuple[list[StreamChunk], LLMResponse]:
    with where.manager.generate_stream("Hi", reasoning_effort=word) as stream:
        chunks = list(stream)
    assert stream.response is not None
    return chunks, stream.response


def test_every_row_is_tried_and_names_its_parameter() -> None:
    """None is forgotten here, and none in the registry."""
    rows = {(spec.name, api.name) for spec in REGISTRY.values() for api in spec.apis}
    assert {(case.provider, case.api) for case in CASES} == rows
    assert all("reasoning_effort" in api.params and api.efforts for spec in REGISTRY.values() for api in spec.apis)


@pytest.mark.parametrize("word", WORDS)
@EVERY
def test_an_effort_is_sent_as_the_provider_documents_it(
    place: Callable[[str, str, str], Place], case: Case, word: str
) -> None:
    """The server takes it, and nothing else about thinking is sent."""
    where = of(case, place)
    response = where.manager.generate("Hi", reasoning_effort=word)
    assert response.dropped_params == ()
    assert where.body() == case.fields[word]


@EVERY
def test_an_effort_goes_into_streams_as_well(place: Callable[[str, str, str], Place], case: Case) -> None:
    """The same fields."""
    where = of(case, place)
    assert streamed(where, "low")[1].dropped_params == ()
    assert where.body() == case.fields["low"]


@EVERY
def test_nothing_is_said_of_thinking_unasked(place: Callable[[str, str, str], Place], case: Case) -> None:
    """Nor for None, which is not set."""
    where = of(case, place)
    for params in ({}, {"reasoning_effort": None}):
        where.manager.generate("Hi", **params)
        assert where.body() == {}


@EVERY
def test_thoughts_and_their_tokens_come_out_of_calls(place: Callable[[str, str, str], Place], case: Case) -> None:
    """Apart from the text, as far as the provider has a place for them."""
    where = of(case, place)
    where.server.enqueue(Reply("Blue.", reasoning="It is the sky.", completion_tokens=20, reasoning_tokens=12))
    response = where.manager.generate("Hi", reasoning_effort="high")
    assert response.content == "Blue."
    assert response.reasoning == ("It is the sky." if case.shows else None)
    assert response.usage.reasoning_tokens == (12 if case.counts else None)
    assert response.usage.completion_tokens == 20


@EVERY
def test_thoughts_and_their_tokens_come_out_of_streams(place: Callable[[str, str, str], Place], case: Case) -> None:
    """Pieces of thought before those of the text."""
    where = of(case, place)
    where.server.enqueue(Reply("Blue.", reasoning="It is the sky.", completion_tokens=20, reasoning_tokens=12))
    chunks, response = streamed(where, "high")
    assert "".join(chunk.content for chunk in chunks) == response.content == "Blue."
    shown = "It is the sky." if case.shows else ""
    assert "".join(chunk.reasoning for chunk in chunks) == shown
    assert (response.reasoning or "") == shown
    assert response.usage.reasoning_tokens == (12 if case.counts else None)


@pytest.mark.parametrize("row", WITHOUT, ids="-".join)
def test_a_model_that_does_not_take_it_is_not_sent_it(
    place: Callable[[str, str, str], Place], row: tuple[str, str, str]
) -> None:
    """It is left out and reported, in calls and streams."""
    where = place(*row)
    response = where.manager.generate("Hi", reasoning_effort="high")
    assert response.dropped_params == ("reasoning_effort",)
    assert streamed(where, "high")[1].dropped_params == ("reasoning_effort",)
    assert [where.body(), len(where.server.requests)] == [{}, 2]


def test_a_strict_manager_refuses_what_would_be_left_out() -> None:
    """As any parameter that a provider cannot take."""
    with ProviderSimulator() as simulator:
        server = simulator.add("groq")
        builder = LLMManager.builder().add_instance("groq", "llama-3.1-8b-instant", "k", endpoint=server.url)
        with builder.unsupported_params("error").build() as manager:
            with pytest.raises((ConfigError, InvalidRequestError), match="reasoning_effort"):
                manager.generate("Hi", reasoning_effort="low")
            assert server.count == 0


@EVERY
def test_an_unknown_effort_is_the_providers_to_refuse(place: Callable[[str, str, str], Place], case: Case) -> None:
    """A word of tomorrow needs no new release; one that is none is an error that says so."""
    where = of(case, place)
    with pytest.raises(InvalidRequestError):
        where.manager.generate("Hi", reasoning_effort="banana")


def test_a_providers_own_parameter_wins() -> None:
    """Beside reasoning_effort, in the same object."""
    own = {
        "openai": {"reasoning": {"summary": "auto"}},
        "anthropic": {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
    }
    wanted = {
        "openai": {"reasoning": {"effort": "low", "summary": "auto"}},
        "anthropic": {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
    }
    with ProviderSimulator() as simulator:
        for provider, model, api in (("openai", "gpt-5.4", "responses"), ("anthropic", "claude-opus-4-6", "messages")):
            server = simulator.add(provider)
            builder = LLMManager.builder().add_instance(provider, model, "k", api=api, endpoint=server.url)
            with builder.build() as manager:
                manager.generate("Hi", provider_params=own, reasoning_effort="low")
                where = Place(server, manager)
                assert where.body() == wanted[provider]


@pytest.mark.parametrize(
    "against",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"},
        {"temperature": 0.2},
        {"top_k": 5},
        {"top_p": 0.5},
    ],
    ids=["a forced tool", "temperature", "top_k", "top_p"],
)
def test_claude_is_not_made_to_think_where_that_is_refused(
    place: Callable[[str, str, str], Place], against: Json
) -> None:
    """Its effort is said nevertheless."""
    where = place("anthropic", "messages", "claude-opus-4-6")
    where.manager.generate("Hi", reasoning_effort="low", **against)
    assert where.body() == {"output_config": {"effort": "low"}}


def test_claude_has_room_for_its_thoughts(place: Callable[[str, str, str], Place]) -> None:
    """They count as part of max_tokens, which is the caller's where it is given."""
    where = place("anthropic", "messages", "claude-opus-4-6")
    where.manager.generate("Hi", reasoning_effort="high")
    where.manager.generate("Hi", reasoning_effort="none")
    where.manager.generate("Hi", reasoning_effort="high", max_tokens=9000)
    assert [request.body["max_tokens"] for request in where.server.requests] == [16_000, 4096, 9000]
