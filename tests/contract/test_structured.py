"""Structured output over all rows that have it: real SDKs, real sockets, a value out."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from flyllm import GenerationRequest, InvalidOutputError
from flyllm.providers.capabilities import JSON_BESIDE_TOOLS, SCHEMAS
from flyllm.providers.registry import REGISTRY
from flyllm.testing import Reply, SimulatedToolCall
from tests.contract.test_tools import Row, World, calling, script, simulator, weather, world

__all__ = ["simulator", "world"]  # fixtures

ROWS: list[Row] = [(s.name, api.name) for s in REGISTRY.values() for api in s.apis if SCHEMAS in api.can]
EVERY = pytest.mark.parametrize("row", ROWS, ids="-".join)


class Line(BaseModel):
    city: str
    degrees: int = Field(ge=-90, le=60)


class Forecast(BaseModel):
    """A forecast."""

    sky: Literal["blue", "grey"]
    lines: list[Line] = Field(min_length=1, max_length=3)
    note: str | None = None


VALUE = {"sky": "blue", "lines": [{"city": "Köln", "degrees": 21}], "note": None}
GOOD = json.dumps(VALUE, ensure_ascii=False)
BAD = GOOD.replace("21", "99")
FORECAST = Forecast.model_validate(VALUE)


def test_every_provider_has_a_row() -> None:
    """All ten take schemas, by one of their APIs at least."""
    assert {provider for provider, _ in ROWS} == set(REGISTRY)


@EVERY
@pytest.mark.parametrize("form", [Forecast, Forecast.model_json_schema()], ids=["model", "schema"])
def test_an_answer_becomes_a_value(world: Callable[..., World], row: Row, form: Any) -> None:
    """Called and streamed; the schema stands somewhere in the body that was sent."""
    w = world(row)
    script(w.servers[0], GOOD, GOOD)
    value = FORECAST if form is Forecast else VALUE
    assert w.manager.generate("How is it?", response_format=form).parsed == value
    assert '"degrees"' in json.dumps(w.body())
    with w.manager.generate_stream("How is it?", response_format=form) as stream:
        assert "".join(chunk.content for chunk in stream) == GOOD
    assert stream.response is not None
    assert stream.response.parsed == value


@EVERY
def test_what_the_schema_cannot_say_there_is_checked_here(world: Callable[..., World], row: Row) -> None:
    """Several providers take no numbers' bounds. The answer is held against the whole schema, whoever gave it."""
    w = world(row)
    script(w.servers[0], BAD)
    with pytest.raises(
        InvalidOutputError, match=r"lines\.0\.degrees: Input should be less than or equal to 60"
    ) as caught:
        w.manager.generate("How is it?", response_format=Forecast)
    assert caught.value.answer is not None
    assert caught.value.answer.content == BAD
    assert len(w.servers[0].requests) == 1


@EVERY
def test_the_model_is_told_and_does_better(world: Callable[..., World], row: Row) -> None:
    """The conversation of the second request has its answer and the fault, on every wire."""
    w = world(row)
    script(w.servers[0], BAD, GOOD)
    response = w.manager.generate("How is it?", response_format=Forecast, retry_invalid=1)
    assert response.parsed == FORECAST
    told = json.dumps(w.body(), ensure_ascii=False)
    assert "less than or equal to 60" in told
    assert r"\"degrees\": 99" in told or r"\\\"degrees\\\": 99" in told


@pytest.mark.parametrize("row", [row for row in ROWS if row[0] != "openai"], ids="-".join)
def test_an_invalid_answer_fails_over(world: Callable[..., World], row: Row) -> None:
    """To another provider, which is asked afresh."""
    w = world(("openai", "chat_completions"), row)
    script(w.servers[0], BAD)
    script(w.servers[1], GOOD)
    response = w.manager.generate("How is it?", response_format=Forecast, fail_on={"invalid"})
    assert (response.parsed, response.provider) == (FORECAST, row[0])
    assert [attempt.outcome for attempt in response.attempts] == ["InvalidOutputError", "success"]


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if JSON_BESIDE_TOOLS in REGISTRY[row[0]].api(row[1]).can],
    ids="-".join,
)
def test_functions_first_then_the_form(world: Callable[..., World], row: Row) -> None:
    """A run with functions ends in a value."""
    w = world(row)
    script(w.servers[0], calling(SimulatedToolCall("weather", {"city": "Köln"})), GOOD)
    run = w.manager.run_tools("How is it?", tools=[weather], response_format=Forecast)
    assert (run.rounds, run.response.parsed) == (2, FORECAST)


def test_a_batch_has_values_and_errors_in_their_places(world: Callable[..., World]) -> None:
    """And what a journal recalls is read again."""
    w = world(("groq", "chat_completions"))
    w.servers[0].reply(lambda call: Reply(BAD if "bad" in call.prompt else GOOD))
    requests = [GenerationRequest(word, response_format=Forecast) for word in ("one", "bad", "two")]
    found = w.manager.batch_generate(requests)
    assert [response.parsed for response in found] == [FORECAST, None, FORECAST]
    assert isinstance(found[1].error, InvalidOutputError)
    assert found[1].error.answer is not None
    again = pickle.loads(pickle.dumps(found))
    assert again[0].parsed == FORECAST
    assert again[1].error.answer.content == BAD


def test_a_journal_recalls_values(world: Callable[..., World], tmp_path: Path) -> None:
    """Without asking again."""
    w = world(("groq", "chat_completions"))
    w.servers[0].reply(lambda call: Reply(GOOD))
    requests = [GenerationRequest(word, response_format=Forecast) for word in ("one", "two")]
    for _ in range(2):
        found = w.manager.batch_generate(requests, journal=tmp_path / "journal.jsonl")
        assert [response.parsed for response in found] == [FORECAST, FORECAST]
    assert len(w.servers[0].requests) == 2
