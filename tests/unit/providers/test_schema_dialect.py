"""JSON schemas in a provider's dialect: what is kept, left out and told, word by word."""

import copy
from typing import Any

import pytest

from flyllm.providers.schemas import dialects
from flyllm.providers.schemas.adapting import adapted
from tests.unit.providers.schema_forms import TREE, Json, dialect, field, form, of


def test_a_form_that_is_no_schema_stays_as_it_is() -> None:
    """And so does every one where there is no dialect."""
    for given in (
        {"type": "json_object"},
        {"type": "text"},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": 1},
    ):
        assert adapted(given, dialects.OPENAI, "m") == (given, ())
    assert adapted(form({}), None, "m") == (form({}), ())


@pytest.mark.parametrize(
    ("given", "sent"), [("Trip", "Trip"), ("my trip!", "my_trip_"), ("", "answer"), (None, "answer")]
)
def test_a_name_is_one_that_openai_takes(given: str | None, sent: str) -> None:
    """Other characters are replaced, a missing name is invented; 64 characters at most."""
    for name in ("OPENAI", "TOGETHER"):
        made = adapted(form({"type": "object", "properties": {}}, name=given), dialect(name), "m")
        assert made.response_format["json_schema"]["name"] == sent
    long = adapted(form({}, name="n" * 70), dialects.TOGETHER, "m")
    assert long.response_format["json_schema"]["name"] == "n" * 64


def test_the_shape_of_the_responses_api_is_understood() -> None:
    """Where name, schema and strict stand beside the type."""
    given = {"type": "json_schema", "name": "it", "schema": {"type": "string"}, "strict": False}
    assert adapted(given, dialects.OPENAI, "m").response_format == form({"type": "string"}, strict=False)


@pytest.mark.parametrize("strict", [False, None])
def test_a_schema_that_is_but_a_hint_stays_as_the_user_wrote_it(strict: bool | None) -> None:
    """At providers that have such: nothing is refused there."""
    wild = {"type": "object", "patternProperties": {"^a": {"not": {}}}}
    for name in ("OPENAI", "MISTRAL", "GROQ"):
        made = adapted(form(wild, strict=strict), dialect(name), "openai/gpt-oss-20b")
        assert (made.response_format["json_schema"]["schema"], made.changes) == (wild, ())


def test_what_a_user_gave_is_not_changed() -> None:
    """Deep inside as little as at the top."""
    before = copy.deepcopy(TREE)
    for name in ("OPENAI", "ANTHROPIC", "GOOGLE", "COHERE", "LLAMA"):
        of(name, TREE)
    assert before == TREE


def test_a_constraint_that_is_left_out_is_told_the_model_and_the_user() -> None:
    """The model in the description, after the user's own."""
    node = {"type": "integer", "minimum": 1, "maximum": 9, "description": "How many?"}
    assert field("ANTHROPIC", node) == (
        {"type": "integer", "description": "How many?\n\n{minimum: 1, maximum: 9}"},
        ("minimum of $.it: said in the description", "maximum of $.it: said in the description"),
    )
    assert field("OPENAI", node) == (node, ())


def test_a_property_may_be_called_like_a_keyword() -> None:
    """It is a property then, in whatever depth."""
    inner = {
        "type": "object",
        "properties": {"minLength": {"type": "string", "minLength": 2}},
        "required": ["minLength"],
    }
    made, changes = field("ANTHROPIC", inner)
    assert made["properties"] == {"minLength": {"type": "string", "description": "{minLength: 2}"}}
    assert changes == ("minLength of $.it.minLength: said in the description",)


def test_a_constraint_of_another_type_says_nothing_and_is_dropped() -> None:
    """As in JSON Schema."""
    assert field("ANTHROPIC", {"type": "integer", "minLength": 3}) == ({"type": "integer"}, ())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"type": "string", "format": "uri"}, {"ANTHROPIC"}),
        ({"type": "string", "format": "date"}, {"OPENAI", "ANTHROPIC", "GOOGLE", "COHERE", "PERPLEXITY", "LLAMA"}),
        ({"type": "string", "pattern": r"(?=x)"}, set()),
        ({"type": "string", "pattern": r"\bx"}, {"OPENAI"}),
        ({"type": "string", "pattern": "[0-9]"}, {"OPENAI", "ANTHROPIC"}),
        ({"type": "string", "pattern": "^(a|b)[|]$"}, {"OPENAI", "ANTHROPIC", "LLAMA"}),
        ({"type": "string", "pattern": "^a|b$"}, {"OPENAI", "ANTHROPIC"}),
        ({"type": "number", "minimum": 0.5}, {"OPENAI", "GOOGLE"}),
        ({"type": "integer", "minimum": 1}, {"OPENAI", "GOOGLE", "LLAMA"}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",  # a set's text is another one in each process
)
def test_formats_patterns_and_ranges_are_kept_where_they_are_taken(given: Json, kept: set[str]) -> None:
    """Not sent elsewhere, where they would be refused."""
    names = ("OPENAI", "ANTHROPIC", "GOOGLE", "MISTRAL", "COHERE", "GROQ", "LLAMA")
    assert {name for name in names if field(name, given)[0] == given} == kept - {"PERPLEXITY"}


def test_the_smallest_list_of_anthropic_has_one_item() -> None:
    """More cannot be asked for."""
    list_of_three = {"type": "array", "items": {"type": "null"}, "minItems": 3}
    made, changes = field("ANTHROPIC", list_of_three)
    assert (made["minItems"], made["description"]) == (1, "{minItems: 3}")
    assert changes == ("minItems of $.it: said in the description",)


def test_an_optional_property_is_asked_for_where_all_must_be() -> None:
    """The user is told, unless it may be null, which says that there is none."""
    node = {"type": "integer", "default": 5}
    made, changes = field("OPENAI", node, required=False)
    assert made == {"type": "integer", "description": "{default: 5}"}
    assert changes == ("it of $: always asked for, as no property may be optional",)
    assert field("OPENAI", {"type": ["integer", "null"]}, required=False)[1] == ()


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ({"type": "object"}, "$.it may have any keys"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "$.it may have any keys"),
        ({"type": "object", "properties": {}, "additionalProperties": True}, "$.it may have any keys"),
        ({}, "$.it may be any value"),
        (True, "$.it may be any value"),
        ({"title": "Anything"}, "$.it may be any value"),
        ({"type": "array"}, "$.it[] may be any value"),
        ({"enum": [f"v{n}" for n in range(1001)]}, "it has 1001 enum values, more than 1000"),
    ],
    ids=str,
)
def test_what_strictness_cannot_express_makes_a_schema_a_hint(node: Any, reason: str) -> None:
    """The whole schema as it is, without strictness, where there is such a mode."""
    schema = {"type": "object", "properties": {"it": node}}
    made = of("OPENAI", schema)
    assert made.response_format == form(schema, strict=False)
    assert made.changes == (f"strict: not asked for, as {reason}",)


def test_an_answer_that_is_no_object_is_not_asked_for_strictly() -> None:
    """Nor one of several kinds."""
    for schema in ({"type": "array", "items": {"type": "string"}}, {"anyOf": [{"type": "object", "properties": {}}]}):
        assert of("OPENAI", schema).changes == ("strict: not asked for, as the answer is not an object of one kind",)


def test_a_value_of_any_kind_is_a_scalar_where_there_is_no_other_mode() -> None:
    """And any keys are none: both are told."""
    made, changes = field("ANTHROPIC", {})
    assert made == {"anyOf": [{"type": name} for name in ("string", "number", "boolean", "null")]}
    assert changes == ("$.it: any value is taken, only string, number, boolean, null can be written",)
    made, changes = field("PERPLEXITY", {"type": "object"})
    assert made == {"type": "object", "properties": {}, "additionalProperties": False}
    assert changes == ("$.it: only declared keys can be written, it will be empty",)


def test_an_object_of_cohere_requires_something() -> None:
    """Its first property, where the user requires none."""
    schema = {"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}}}
    made = of("COHERE", schema)
    assert made.response_format["json_schema"]["schema"]["required"] == ["a"]
    assert made.changes == ("a of $: always asked for, as one property must be",)


def test_a_schema_too_deep_to_be_read_is_left_alone() -> None:
    """And the user told."""
    schema: Json = {"type": "string"}
    for _ in range(3000):
        schema = {"type": "array", "items": schema}
    made = of("ANTHROPIC", schema)
    assert made.response_format["json_schema"]["schema"] is schema
    assert made.changes == ("the schema: nested too deeply to be adapted",)
