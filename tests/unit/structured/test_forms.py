"""What may be given as the form of an answer, what providers are told of it, and how answers are read."""

import contextlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from flyllm import ConfigError
from flyllm.structured import Form, Mismatch, read_form


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int = Field(ge=0)


class Tree(BaseModel):
    value: int
    children: list["Tree"] = []


@dataclass
class Point:
    x: float
    y: float


class Pair(TypedDict):
    left: int
    right: int


class Fussy(BaseModel):
    word: str

    @field_validator("word")
    @classmethod
    def check(cls, word: str) -> str:
        return {"known": word}[word]


class Plain:
    """No schema can be made of it."""


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}


def form(given: Any) -> Form:
    found = read_form(given)
    assert found is not None
    return found


def read(given: Any, text: str) -> Any:
    reader = form(given).read
    assert reader is not None
    return reader(text)


def test_none_is_no_form() -> None:
    """Any text will do."""
    assert read_form(None) is None


def test_a_model_is_told_by_name_description_and_schema() -> None:
    """As strictly as a provider can."""
    told = form(Person).response_format
    inner = told["json_schema"]
    assert (told["type"], inner["name"], inner["description"], inner["strict"]) == (
        "json_schema",
        "Person",
        "Somebody.",
        True,
    )
    assert inner["schema"]["required"] == ["name", "age"]
    assert inner["schema"]["properties"]["age"]["minimum"] == 0


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Person, '{"name":"Ann","age":3}', Person(name="Ann", age=3)),
        (Tree, '{"value":1,"children":[{"value":2}]}', Tree(value=1, children=[Tree(value=2)])),
        (Point, '{"x":1,"y":2.5}', Point(1.0, 2.5)),
        (Pair, '{"left":1,"right":2}', {"left": 1, "right": 2}),
        (SCHEMA, '{"n":4}', {"n": 4}),
        ({"type": "json_schema", "json_schema": {"schema": SCHEMA}}, '{"n":4}', {"n": 4}),
        ({"type": "json_schema", "schema": SCHEMA}, '{"n":4}', {"n": 4}),
        ({"type": ["object", "null"]}, "null", None),
        ({"anyOf": [{"type": "integer"}]}, "4", 4),
        ({"type": "json_object"}, '{"any":["thing"]}', {"any": ["thing"]}),
    ],
)
def test_an_answer_becomes_a_value(kind: Any, text: str, value: Any) -> None:
    """Also in a block of Markdown, as models without enforcement like to write."""
    assert read(kind, text) == value
    assert read(kind, f"```json\n{text}\n```") == value
    assert read(kind, f"\n```\n{text}\n```\n") == value


@pytest.mark.parametrize(
    ("kind", "text", "fault"),
    [
        (Person, '{"name":"Ann"}', "age: Field required"),
        (Person, '{"name":"Ann","age":-1}', "age: Input should be greater than or equal to 0"),
        (Person, "", "the answer is empty"),
        (Person, "Ann, 3", "Invalid JSON"),
        (Tree, '{"value":1,"children":[{"value":"x"}]}', "children.0.value: Input should be a valid integer"),
        (Fussy, '{"word":"unknown"}', "reading the answer raised KeyError: 'unknown'"),
        (SCHEMA, '{"n":0}', "n: 0 is less than the minimum of 1"),
        (SCHEMA, "{}", "the answer: 'n' is a required property"),
        (SCHEMA, "  ", "the answer is empty"),
        (SCHEMA, '{"n":', "the answer is not JSON: Expecting value"),
        (SCHEMA, '{"n":NaN}', "the answer is not JSON: NaN has no form in JSON"),
        (SCHEMA, "[" * 100_000, "the answer is not JSON"),
        ({"type": "json_object"}, "[]", "the answer is not a JSON object but list"),
    ],
)
def test_what_is_wrong_with_an_answer_is_told(kind: Any, text: str, fault: str) -> None:
    """In words that a model understands, with the place."""
    with pytest.raises(Mismatch) as caught:
        read(kind, text)
    assert fault in caught.value.faults[0]


def test_of_many_faults_only_the_first_are_told() -> None:
    """A model needs no thousand of them."""
    with pytest.raises(Mismatch) as caught:
        read({"type": "array", "items": {"type": "string"}}, json.dumps(list(range(1000))))
    assert len(caught.value.faults) == 10
    with pytest.raises(Mismatch) as caught:
        read({"type": "string"}, json.dumps(["x" * 10_000]))
    assert len(caught.value.faults[0]) < 250


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("json", "must be a pydantic model, a type or a dict, not str"),
        (["json"], "must be a pydantic model, a type or a dict, not list"),
        (int, "int is no JSON object"),
        (list[Person], "list is no JSON object"),
        (Person | Tree, "is no JSON object"),
        (Plain, "Plain has no JSON schema: Unable to generate pydantic-core schema"),
        (Literal["a"], "is no JSON object"),
        ({"type": "object", "properties": 3}, r"is no JSON schema: \$.properties: 3 is not of type 'object'"),
        ({"$ref": "#/$defs/Nobody"}, "refers to '#/\\$defs/Nobody', which it does not have"),
        ({"properties": {"a": {"$ref": "https://example.com/schema"}}}, "refers to 'https://example.com/schema'"),
        ({"type": "json_schema"}, "of type json_schema has no schema"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "of type json_schema has no schema"),
        ({"type": "object", "x": object()}, "is not JSON"),
        ({"type": "object", "default": float("nan")}, "is not JSON"),
    ],
)
def test_what_is_no_form_is_refused_before_anything_is_sent(kind: Any, why: str) -> None:
    """One clear error."""
    with pytest.raises(ConfigError, match=why):
        read_form(kind)


def test_another_type_of_response_format_is_left_to_the_provider() -> None:
    """Grammars and the like: flyllm cannot read what they make."""
    given = {"type": "grammar", "grammar": "root ::= 'x'"}
    assert form(given).response_format == given
    assert form(given).read is None
    assert form({"type": "text"}).read is None


def test_a_chat_completions_dict_keeps_what_it_says() -> None:
    """Its name, its strictness; only a missing name is filled in, without which OpenAI refuses it."""
    given = {"type": "json_schema", "json_schema": {"name": "n", "strict": False, "schema": SCHEMA}}
    assert form(given).response_format == given
    unnamed = form({"type": "json_schema", "json_schema": {"schema": SCHEMA}}).response_format
    assert unnamed["json_schema"] == {"name": "answer", "schema": SCHEMA}


@pytest.mark.parametrize(
    ("title", "name"),
    [("A list: of things", "A_list__of_things"), ("", "answer"), ("ä" * 80, "answer"), (None, "answer")],
)
def test_a_name_is_one_that_all_providers_take(title: Any, name: str) -> None:
    """Letters, digits, _ and -, at most 64."""
    schema = SCHEMA if title is None else {**SCHEMA, "title": title}
    assert form(schema).response_format["json_schema"]["name"] == name


def test_properties_stay_in_their_order() -> None:
    """Models write them in it: what they are to think of first stands first."""
    schema = {"type": "object", "properties": {"reasoning": {}, "answer": {}}}
    assert list(form(schema).response_format["json_schema"]["schema"]["properties"]) == ["reasoning", "answer"]


def test_a_form_is_made_once() -> None:
    """A batch gives the same one with each of a million requests."""
    assert read_form(Person) is read_form(Person)
    assert read_form(SCHEMA) is read_form(json.loads(json.dumps(SCHEMA)))


def test_a_type_that_has_no_hash_will_do() -> None:
    """It is read anew each time."""
    kind = Annotated[Person, Field(json_schema_extra={"examples": []}), []]
    assert read(kind, '{"name":"Ann","age":3}') == Person(name="Ann", age=3)


def test_the_caller_s_schema_is_left_as_it_is() -> None:
    """It may be shared."""
    given = json.loads(json.dumps(SCHEMA))
    read(given, '{"n":4}')
    assert given == SCHEMA


@given(st.text())
def test_any_text_is_a_value_or_a_mismatch(text: str) -> None:
    """A model may write anything."""
    for kind in (Person, SCHEMA, {"type": "json_object"}):
        with contextlib.suppress(Mismatch):
            read(kind, text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_value_is_a_form_or_a_config_error(value: Any) -> None:
    """Nothing else is raised."""
    with contextlib.suppress(ConfigError):
        read_form(value)
