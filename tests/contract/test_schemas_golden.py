"""A pydantic model as the wanted form of an answer, field by field, as each provider documents that it takes one.

Written by hand from developers.openai.com/api/docs/guides/structured-outputs,
platform.claude.com/docs/en/build-with-claude/structured-outputs, ai.google.dev/api/generate-content,
docs.mistral.ai/capabilities/structured-output/custom, docs.cohere.com/docs/structured-outputs,
console.groq.com/docs/structured-outputs, docs.together.ai/docs/inference/chat/structured-outputs,
docs.perplexity.ai/docs/agent-api/output-control, docs.ollama.com/capabilities/structured-outputs,
lmstudio.ai/docs/developer/openai-compat/structured-output and llama.cpp's grammars/README.md.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from enum import Enum
from itertools import count
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from flyllm import LLMManager, LLMResponse
from flyllm.providers.registry import REGISTRY
from flyllm.testing import ProviderSimulator, SimulatedProvider
from tests.contract.specs import faults, validator

Json = dict[str, Any]
Row = tuple[str, str]
ROWS: list[Row] = [(spec.name, api.name) for spec in REGISTRY.values() for api in spec.apis]
EVERY = pytest.mark.parametrize("row", ROWS, ids="-".join)
DESCRIPTIONS = {
    ("openai", "chat_completions"): ("openai", "CreateChatCompletionRequest"),
    ("openai", "responses"): ("openai", "CreateResponse"),
    ("anthropic", "messages"): ("anthropic", "CreateMessageParams"),
    ("google", "generate_content"): ("gemini", "Req_GenerateContentRequest"),
    ("mistral", "chat_completions"): ("mistral", "ChatCompletionRequest"),
    ("groq", "chat_completions"): ("groq", "CreateChatCompletionRequest"),
    ("togetherai", "chat_completions"): ("together", "ChatCompletionRequest"),
    ("perplexity", "chat_completions"): ("perplexity", "ApiChatCompletionsRequest"),
    ("ollama", "chat"): ("ollama", "ChatRequest"),
}
NUMBERS = count()
MODELS = {"groq": "openai/gpt-oss-20b", "perplexity": "sonar-pro"}
"""Those that enforce schemas, or are described; of any other provider, any."""


class Kind(Enum):
    BUS = "bus"
    TRAIN = "train"


class Stop(BaseModel):
    place: str = Field(description="where it stops", min_length=2)
    then: list["Stop"] = []


class Trip(BaseModel):
    """A trip."""

    title: str = Field(max_length=40, pattern="^[A-Z].*$")
    day: date
    seats: int = Field(ge=1, le=9)
    price: float | None = None
    comfort: Literal["first", "second"]
    kind: Kind
    tags: list[str] = Field(min_length=2, max_length=3)
    start: Stop


class Ledger(BaseModel):
    owner: str
    balances: dict[str, int]


START = Stop(place="Bonn")
TRIP = Trip(
    title="Rome", day=date(2026, 11, 23), seats=2, comfort="first", kind=Kind.BUS, tags=["sun", "sea"], start=START
)
REQUIRED = ["title", "day", "seats", "comfort", "kind", "tags", "start"]
KIND = {"title": "Kind", "type": "string", "enum": ["bus", "train"]}
PRICE = {"title": "Price", "anyOf": [{"type": "number"}, {"type": "null"}]}


def stop(place: Json, then: Json, **others: Any) -> Json:
    properties = {
        "place": {"title": "Place", "type": "string", "description": "where it stops", **place},
        "then": {"title": "Then", "type": "array", "description": "{default: []}", "items": then},
    }
    return {"title": "Stop", "type": "object", "properties": properties, "required": ["place"], **others}


def trip(title: Json, day: Json, seats: Json, tags: Json, stops: Json, **others: Any) -> Json:
    properties = {
        "title": {"title": "Title", "type": "string", **title},
        "day": {"title": "Day", "type": "string", **day},
        "seats": {"title": "Seats", "type": "integer", **seats},
        "price": PRICE,
        "comfort": {"title": "Comfort", "type": "string", "enum": ["first", "second"]},
        "kind": {"$ref": "#/$defs/Kind"},
        "tags": {"title": "Tags", "type": "array", "items": {"type": "string"}, **tags},
        "start": {"$ref": "#/$defs/Stop"},
    }
    root = {"title": "Trip", "type": "object", "properties": properties, "required": REQUIRED, **others}
    return {**root, "$defs": {"Kind": KIND, **stops}}


LONG, UPPER, DAY = {"maxLength": 40}, {"pattern": "^[A-Z].*$"}, {"format": "date"}
SEATS, TAGS, AGAIN = {"minimum": 1, "maximum": 9}, {"minItems": 2, "maxItems": 3}, {"$ref": "#/$defs/Stop"}
TOLD_TITLE = {"description": '{maxLength: 40, pattern: "^[A-Z].*$"}'}
TOLD_DAY = {"description": '{format: "date"}'}
TOLD_SEATS = {"description": "{maximum: 9, minimum: 1}"}
TOLD_TAGS = {"description": "{maxItems: 3, minItems: 2}"}
TOLD_PLACE = {"description": "where it stops\n\n{minLength: 2}"}
SHUT = {"additionalProperties": False}
ALL = {"required": [*REQUIRED[:3], "price", *REQUIRED[3:]], **SHUT}


def levels(place: Json) -> Json:
    names = ["Stop", *(f"Stop_{n}" for n in range(2, 6))]
    deeper = [{"$ref": f"#/$defs/{name}"} for name in names[1:]]
    end = {"type": "null", "description": "must be empty: no deeper level can be written here"}
    return {name: stop(place, then, **SHUT) for name, then in zip(names, [*deeper, end], strict=True)}


OPENAI = trip(
    {**LONG, **UPPER},
    DAY,
    SEATS,
    TAGS,
    {"Stop": stop({"minLength": 2}, AGAIN, required=["place", "then"], **SHUT)},
    **ALL,
)
ANTHROPIC = trip(
    {**UPPER, "description": "{maxLength: 40}"},
    DAY,
    TOLD_SEATS,
    {"minItems": 1, **TOLD_TAGS},
    levels(TOLD_PLACE),
    description="A trip.",
    **SHUT,
)
GOOGLE = trip(TOLD_TITLE, DAY, SEATS, TAGS, {"Stop": stop(TOLD_PLACE, AGAIN)})
MISTRAL = trip(TOLD_TITLE, TOLD_DAY, TOLD_SEATS, TOLD_TAGS, {"Stop": stop(TOLD_PLACE, AGAIN, **SHUT)}, **SHUT)
COHERE = trip(TOLD_TITLE, DAY, TOLD_SEATS, TOLD_TAGS, {"Stop": stop(TOLD_PLACE, AGAIN)}, description="A trip.")
GROQ = trip(
    TOLD_TITLE,
    TOLD_DAY,
    TOLD_SEATS,
    TOLD_TAGS,
    {"Stop": stop(TOLD_PLACE, AGAIN, required=["place", "then"], **SHUT)},
    **ALL,
)
PERPLEXITY = trip({**LONG, **UPPER}, DAY, SEATS, TAGS, levels({"minLength": 2}), **SHUT)
LLAMA = trip({**LONG, **UPPER}, DAY, SEATS, TAGS, {"Stop": stop({"minLength": 2}, AGAIN)})
TOGETHER = Trip.model_json_schema()
del TOGETHER["description"]


def chat(schema: Json) -> Json:
    inner = {"name": "Trip", "description": "A trip.", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": inner}}


GOLDEN: dict[Row, Json] = {
    ("openai", "chat_completions"): chat(OPENAI),
    ("openai", "responses"): {
        "text": {
            "format": {
                "type": "json_schema",
                "name": "Trip",
                "description": "A trip.",
                "schema": OPENAI,
                "strict": True,
            }
        }
    },
    ("anthropic", "messages"): {"output_config": {"format": {"type": "json_schema", "schema": ANTHROPIC}}},
    ("google", "generate_content"): {
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseJsonSchema": {**GOOGLE, "description": "A trip."},
        }
    },
    ("google", "chat_completions"): chat(GOOGLE),
    ("mistral", "chat_completions"): chat(MISTRAL),
    ("cohere", "chat"): {"response_format": {"type": "json_object", "json_schema": COHERE}},
    ("groq", "chat_completions"): chat(GROQ),
    ("togetherai", "chat_completions"): chat(TOGETHER),
    ("perplexity", "responses"): chat(PERPLEXITY),
    ("perplexity", "chat_completions"): chat(PERPLEXITY),
    ("ollama", "chat"): {"format": {**LLAMA, "description": "A trip."}},
    ("ollama", "chat_completions"): chat(LLAMA),
    ("lmstudio", "chat_completions"): chat(LLAMA),
}
FIELDS = ("response_format", "text", "output_config", "generationConfig", "format")

CLOSED_MAP = {
    "title": "Balances",
    "type": "object",
    "properties": {},
    "additionalProperties": False,
    "description": '{additionalProperties: {"type": "integer"}}',
}
OPEN_MAP = {"title": "Balances", "type": "object", "additionalProperties": {"type": "integer"}}
NOT_STRICT = ("strict: not asked for, as $.balances may have any keys",)
EMPTY = ("$.balances: only declared keys can be written, it will be empty",)
MAPS: dict[str, tuple[Json, bool, tuple[str, ...]]] = {
    "openai": (OPEN_MAP, False, NOT_STRICT),
    "mistral": (OPEN_MAP, False, NOT_STRICT),
    "groq": (OPEN_MAP, False, NOT_STRICT),
    "anthropic": (CLOSED_MAP, True, EMPTY),
    "perplexity": (CLOSED_MAP, True, EMPTY),
    "google": (OPEN_MAP, True, ()),
    "cohere": (OPEN_MAP, True, ()),
    "togetherai": (OPEN_MAP, True, ()),
    "ollama": (OPEN_MAP, True, ()),
    "lmstudio": (OPEN_MAP, True, ()),
}
"""What becomes of a field with any keys: its schema, whether the whole is enforced, and what the user is told."""


@pytest.fixture(scope="module")
def simulator() -> Iterator[ProviderSimulator]:
    with ProviderSimulator() as running:
        yield running


@contextmanager
def instance(simulator: ProviderSimulator, row: Row, model: str = "") -> Iterator[tuple[LLMManager, SimulatedProvider]]:
    server = simulator.add(row[0], name=f"{'-'.join(row)}-{next(NUMBERS)}")
    builder = LLMManager.builder().add_instance(
        row[0], model or MODELS.get(row[0], "model-1"), "sk-key-of-mine", api=row[1]
    )
    with builder.custom_endpoint(server.url).build() as manager:
        yield manager, server


def asked(simulator: ProviderSimulator, row: Row, form: Any, answer: str) -> tuple[LLMResponse, Json]:
    """Return the response to a request for `form`, and the body that asked for it."""
    with instance(simulator, row) as (manager, server):
        server.enqueue(answer)
        response = manager.generate("Plan a trip, in JSON.", response_format=form)
        body: Json = server.requests[-1].body
        return response, body


@EVERY
def test_a_model_is_asked_for_as_the_provider_documents(simulator: ProviderSimulator, row: Row) -> None:
    """Nothing more and nothing less; and the answer is of the model."""
    response, body = asked(simulator, row, Trip, TRIP.model_dump_json())
    assert {name: body[name] for name in FIELDS if name in body} == GOLDEN[row]
    assert response.parsed == TRIP


@pytest.mark.parametrize("row", DESCRIPTIONS, ids="-".join)
def test_the_body_validates_against_the_published_description(simulator: ProviderSimulator, row: Row) -> None:
    """Where the provider publishes one."""
    _, body = asked(simulator, row, Trip, TRIP.model_dump_json())
    assert faults(validator(*DESCRIPTIONS[row]), body) == []


@EVERY
def test_any_keys_are_kept_or_the_user_is_told(simulator: ProviderSimulator, row: Row) -> None:
    """A field with any keys is not enforced, or cannot be written, at some."""
    schema, strict, changes = MAPS[row[0]]
    response, body = asked(simulator, row, Ledger, '{"owner": "Ann", "balances": {}}')
    text = json.dumps(body)
    assert json.dumps(schema, sort_keys=True) in json.dumps(body, sort_keys=True)
    assert ('"strict": false' in text) is not strict
    assert response.schema_changes == changes


@EVERY
def test_what_is_not_enforced_is_still_wanted_of_the_answer(simulator: ProviderSimulator, row: Row) -> None:
    """The whole schema counts, also where its constraints were only told."""
    with instance(simulator, row) as (manager, server):
        server.enqueue(TRIP.model_copy(update={"seats": 12}).model_dump_json())
        server.enqueue(TRIP.model_dump_json())
        response = manager.generate("Plan a trip, in JSON.", response_format=Trip, retry_invalid=1)
        assert (response.parsed, len(response.attempts)) == (TRIP, 2)


def test_a_model_of_groq_that_cannot_be_strict_is_asked_to_do_its_best(simulator: ProviderSimulator) -> None:
    """With the schema as it is."""
    with instance(simulator, ("groq", "chat_completions"), "moonshotai/kimi-k2") as (manager, server):
        server.enqueue(TRIP.model_dump_json())
        response = manager.generate("Plan a trip, in JSON.", response_format=Trip)
        form = server.requests[-1].body["response_format"]["json_schema"]
    assert (form["strict"], form["schema"]) == (False, TOGETHER)
    assert response.schema_changes == ("strict: not asked for, as moonshotai/kimi-k2 enforces no schema",)


def test_a_fine_tuned_model_of_openai_is_told_the_constraints(simulator: ProviderSimulator) -> None:
    """It takes none of them in a strict schema."""
    with instance(simulator, ("openai", "chat_completions"), "ft:gpt-4o-mini:mine") as (manager, server):
        server.enqueue(TRIP.model_dump_json())
        manager.generate("Plan a trip.", response_format=Trip)
        schema = server.requests[-1].body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["seats"] == {"title": "Seats", "type": "integer", **TOLD_SEATS}
