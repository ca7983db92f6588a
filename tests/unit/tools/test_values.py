"""Every value that a function takes validates against the schema that the model is told."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from pydantic import BaseModel, Field, TypeAdapter
from typing_extensions import TypedDict

from flyllm.tools.tool import Tool


class Colour(Enum):
    RED = "red"
    THREE = 3


@dataclass
class Point:
    x: int
    y: float | None = None


class Row(TypedDict, total=False):
    name: str
    tags: list[str]


class Tree(BaseModel):
    label: str
    colour: Colour = Colour.RED
    leaves: list["Tree"] = Field(default_factory=list, max_length=3)


TREES = st.recursive(
    st.builds(Tree, label=st.text(max_size=5), colour=st.sampled_from(Colour), leaves=st.just([])),
    lambda children: st.builds(Tree, label=st.text(max_size=5), leaves=st.lists(children, max_size=2)),
    max_leaves=4,
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "int": (int, st.integers(-(2**60), 2**60)),
    "float": (float, FLOATS),
    "bool": (bool, st.booleans()),
    "str": (str, st.text()),
    "optional": (int | None, st.none() | st.integers(-9, 9)),
    "union": (int | str | list[bool], st.integers(-9, 9) | st.text() | st.lists(st.booleans())),
    "literal": (Literal["a", 1, None], st.sampled_from(["a", 1, None])),
    "enum": (Colour, st.sampled_from(Colour)),
    "list": (list[int], st.lists(st.integers(-9, 9))),
    "tuple": (tuple[int, str], st.tuples(st.integers(-9, 9), st.text())),
    "set": (set[str], st.sets(st.text())),
    "dict": (dict[str, list[float]], st.dictionaries(st.text(), st.lists(FLOATS))),
    "bounded": (Annotated[int, Field(ge=1, le=5)], st.integers(1, 5)),
    "date": (date, st.dates()),
    "datetime": (datetime, st.datetimes(timezones=st.just(UTC) | st.none())),
    "timedelta": (timedelta, st.integers(0, 10**6).map(lambda n: timedelta(seconds=n))),
    "uuid": (UUID, st.uuids()),
    "dataclass": (Point, st.builds(Point, st.integers(-9, 9), st.none() | FLOATS)),
    "typed dict": (Row, st.fixed_dictionaries({}, optional={"name": st.text(), "tags": st.lists(st.text())})),
    "model": (Tree, TREES),
    "anything": (Any, st.recursive(st.none() | st.booleans() | st.text(), st.lists)),
}


@pytest.mark.parametrize("kind", VALUES)
@given(data=st.data())
def test_what_a_function_takes_is_what_the_model_is_told(kind: str, data: st.DataObject) -> None:
    """And arrives as it was."""
    annotation, values = VALUES[kind]
    value = data.draw(values)

    def take(x: Any) -> Any:
        return x

    take.__annotations__["x"] = annotation
    tool = Tool(take)
    plain = TypeAdapter(annotation).dump_python(value, mode="json")
    Draft202012Validator.check_schema(tool.parameters)
    Draft202012Validator(tool.parameters).validate({"x": plain})
    assert tool.run(json.dumps({"x": plain})) == value


@pytest.mark.parametrize("kind", VALUES)
def test_schemas_have_nothing_to_look_up_but_what_holds_itself(kind: str) -> None:
    """Ollama's templates show a model nothing of a reference."""

    def take(x: Any) -> Any:
        return x

    take.__annotations__["x"] = VALUES[kind][0]
    assert ("$ref" in json.dumps(Tool(take).parameters)) == (kind == "model")
