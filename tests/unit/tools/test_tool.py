"""Rules of what a model is told of a function, and of what its arguments become."""

import functools
import pickle
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from flyllm import ConfigError, GenerationRequest, Tool, tool_schema
from flyllm.tools.given import read_tools, schemas_of
from flyllm.tools.passing import BadArguments
from tests.unit.tools import kinds


class Unit(Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


@dataclass
class Place:
    lat: float
    lon: float = 0.0


class Span(TypedDict):
    first: date
    last: date


class Node(BaseModel):
    title: str
    children: list["Node"] = []


def weather(
    city: str,
    unit: Unit = Unit.CELSIUS,
    *,
    days: Annotated[int, Field(description="how many", ge=1, le=9)] = 1,
    at: Place | None = None,
    mood: Literal["short", "long"] = "short",
) -> dict[str, Any]:
    """Tell the weather.

    Args:
        city: where it is
        days: is not told, the annotation says it
    """
    return {"city": city, "unit": unit, "days": days, "at": at, "mood": mood}


def parameters(function: Callable[..., Any]) -> dict[str, Any]:
    told: dict[str, Any] = tool_schema(function)["function"]["parameters"]
    return told


def properties(function: Callable[..., Any]) -> dict[str, Any]:
    found: dict[str, Any] = parameters(function)["properties"]
    return found


def test_a_function_s_schema() -> None:
    """Name, first paragraph, types, defaults, descriptions; no titles, nothing to look up."""
    told = tool_schema(weather)
    told["function"]["parameters"]["properties"]["at"]["anyOf"][0].pop("additionalProperties", None)  # pydantic >= 2.11
    assert told == {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Tell the weather.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "where it is"},
                    "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
                    "days": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": 9,
                        "default": 1,
                        "description": "how many",
                    },
                    "at": {
                        "anyOf": [
                            {
                                "type": "object",
                                "properties": {"lat": {"type": "number"}, "lon": {"type": "number", "default": 0.0}},
                                "required": ["lat"],
                            },
                            {"type": "null"},
                        ],
                        "default": None,
                    },
                    "mood": {"type": "string", "enum": ["short", "long"], "default": "short"},
                },
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }


def test_arguments_become_what_the_annotations_say() -> None:
    """Enums, dataclasses, dates, models; what is not given has the function's default."""
    given = Tool(weather).run('{"city": "Köln", "unit": "F", "at": {"lat": 51}}')
    assert given == {"city": "Köln", "unit": Unit.FAHRENHEIT, "days": 1, "at": Place(51.0), "mood": "short"}

    def span(span: Span, tree: Node) -> tuple[Any, ...]:
        return span["last"], tree.children[0]

    tool = Tool(span)
    written = (
        '{"span": {"first": "2026-01-01", "last": "2026-02-01"}, "tree": {"title": "a", "children": [{"title": "b"}]}}'
    )
    assert tool.run(written) == (date(2026, 2, 1), Node(title="b"))


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("{", "Invalid JSON"),
        ("[]", "Input should be an object"),
        ("null", "Input should be an object"),
        ("{}", "city: Field required"),
        ("", "city: Field required"),
        ('{"city": 1}', "city: Input should be a valid string"),
        ('{"city": "x", "unit": "K"}', "unit: Input should be 'C' or 'F'"),
        ('{"city": "x", "at": {}}', "at.lat: Field required"),
        ('{"city": "x", "day": 1}', "day: Extra inputs are not permitted"),
        ('{"city": "x", "days": 10}', "days: Input should be less than or equal to 9"),
        ('{"city": "\\ud800"}', "Invalid JSON"),
        ('{"city": "\ud800"}', "."),
    ],
)
def test_arguments_that_do_not_fit_are_told(written: str, why: str) -> None:
    """Each fault by its place, without what was written."""
    with pytest.raises(BadArguments, match=why):
        Tool(weather).run(written)


def test_a_type_that_holds_itself_stays_to_be_looked_up() -> None:
    """Only such a one."""

    def walk(tree: Node, place: Place) -> None: ...

    told = parameters(walk)
    assert told["properties"]["tree"] == {"$ref": "#/$defs/Node"}
    assert list(told["$defs"]) == ["Node"]
    assert told["$defs"]["Node"]["properties"]["title"] == {"type": "string"}
    assert told["properties"]["place"]["type"] == "object"


def test_parameters_may_have_any_name() -> None:
    """Also those that mean something to pydantic, and one that is given by its place only."""

    def odd(copy: int, /, model_config: int, _x: int = 3, schema: str = "", title: str = "t") -> tuple[Any, ...]:
        return copy, model_config, _x, schema, title

    tool = Tool(odd)
    assert list(tool.parameters["properties"]) == ["copy", "model_config", "_x", "schema", "title"]
    assert tool.run('{"copy": 1, "model_config": 2, "title": "u"}') == (1, 2, 3, "", "u")


def test_a_parameter_without_an_annotation_takes_anything() -> None:
    """As Python does."""

    def free(x, y=2):  # type: ignore[no-untyped-def]  # which is what is tested
        return x, y

    assert properties(free) == {"x": {}, "y": {"default": 2}}
    assert Tool(free).run('{"x": [1, null]}') == ([1, None], 2)


def test_a_default_without_a_json_form_is_not_told() -> None:
    """But holds."""
    nothing = object()

    def f(x: Any = nothing) -> bool:
        return x is nothing

    assert parameters(f) == {"type": "object", "properties": {"x": {}}, "additionalProperties": False}
    assert Tool(f).run("{}") is True


def test_annotations_as_text() -> None:
    """Of a module with `from __future__ import annotations`; one that names nothing is said."""
    assert properties(kinds.late)["city"] == {"type": "string"}
    assert Tool(kinds.late).run('{"city": "x", "days": [1]}') == "x [1]"
    with pytest.raises(ConfigError, match=r"signature of 'unknown' cannot be read: name 'Decimal' is not defined"):
        tool_schema(kinds.unknown)


class Shop:
    """A shop."""

    def __init__(self, name: str) -> None:
        self.name = name

    def price(self, item: str) -> str:
        """Tell a price."""
        return f"{self.name}: {item}"

    @classmethod
    def kind(cls, word: str) -> str:
        """Tell the kind."""
        return cls.__name__ + word

    @staticmethod
    def plain(word: str) -> str:
        return word

    def __call__(self, item: str) -> str:
        """Sell something.

        Args:
            item: what
        """
        return item


def test_methods_and_objects() -> None:
    """A bound method has its `self`; an object that can be called has its class's name."""
    shop = Shop("A")
    assert list(properties(shop.price)) == ["item"]
    assert Tool(shop.price).run('{"item": "tea"}') == "A: tea"
    assert Tool(Shop.kind).run('{"word": "!"}') == "Shop!"
    assert Tool(shop.plain).run('{"word": "!"}') == "!"
    told = tool_schema(shop)["function"]
    assert (told["name"], told["description"]) == ("Shop", "Sell something.")
    assert told["parameters"]["properties"]["item"]["description"] == "what"


def test_what_a_partial_has_fixed_the_model_is_not_told() -> None:
    """Nor can it be changed by one that guesses it."""
    fixed = Tool(functools.partial(weather, unit=Unit.FAHRENHEIT))
    assert fixed.name == "weather"
    assert fixed.description == "Tell the weather."
    assert "unit" not in fixed.parameters["properties"]
    assert fixed.run('{"city": "x"}')["unit"] is Unit.FAHRENHEIT
    with pytest.raises(BadArguments, match="unit: Extra inputs are not permitted"):
        fixed.run('{"city": "x", "unit": "C"}')
    assert "city" not in properties(functools.partial(weather, "x"))


def test_a_decorated_function_is_told_as_it_was() -> None:
    """Where the decorator says whom it wraps; the decorator's code runs."""
    seen = []

    @functools.wraps(weather)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        seen.append(kwargs)
        return weather(*args, **kwargs)

    assert tool_schema(wrapper) == tool_schema(weather)
    Tool(wrapper).run('{"city": "x"}')
    assert seen == [{"city": "x"}]


def test_a_tool_is_still_a_function() -> None:
    """So that it can stand above one."""

    @Tool
    def twice(n: int) -> int:
        """Double it."""
        return 2 * n

    assert twice(4) == 8
    assert twice.run('{"n": 4}') == 8
    assert repr(twice) == "<Tool twice>"


def test_a_tool_may_have_another_name_and_description() -> None:
    """For lambdas, and for what the docstring does not say."""
    told = Tool(lambda x: x, name="echo", description="Say it again.").schema["function"]
    assert (told["name"], told["description"]) == ("echo", "Say it again.")
    assert "description" not in Tool(lambda x: x, name="echo").schema["function"]


def test_a_schema_of_one_s_own() -> None:
    """Arguments then go to the function by name as they are."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    tool = Tool(lambda **given: given, name="any", parameters=schema)
    assert tool.parameters == schema
    assert tool.run('{"a": "b", "c": 1}') == {"a": "b", "c": 1}
    narrow = Tool(lambda a: a, name="narrow", parameters=schema)
    for written, why in (('{"b": 1}', "a"), ("[]", "object"), ("{", "Invalid JSON")):
        with pytest.raises(BadArguments, match=why):
            narrow.run(written)


def test_a_tool_pickles_like_its_function() -> None:
    """For batches in other processes."""
    back = pickle.loads(pickle.dumps(Tool(weather, name="w")))
    assert (back.name, back.schema) == ("w", Tool(weather, name="w").schema)
    assert pickle.loads(pickle.dumps(kinds.decorated)) is kinds.decorated
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(Tool(lambda x: x, name="local"))


async def waits(x: int) -> int:
    return x


async def yields(x: int) -> AsyncIterator[int]:
    yield x


class Waits:
    async def __call__(self, x: int) -> int:
        return x


class Opaque:
    pass


def many(*words: str, **options: int) -> None: ...


def opaque(a: int, b: Opaque) -> None: ...


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (waits, r"tools\[0\]: the function 'waits' is async"),
        (yields, "'yields' is async"),
        (Waits(), "'Waits' is async"),
        (functools.partial(waits, 1), "'waits' is async"),
        (many, r"the function 'many' takes \*words and \*\*options: a model must be told"),
        (opaque, "parameter 'b' of the function 'opaque' has no JSON schema"),
        (lambda x: x, r"'<lambda>' cannot name a tool \(letters"),
        (getattr, "'getattr'"),
    ],
    ids=range(8),
)
def test_a_function_that_a_model_cannot_be_told_of(function: Callable[..., Any], why: str) -> None:
    """Is an error that says why, when the request is made."""
    with pytest.raises(ConfigError, match=why):
        read_tools([function])


def test_all_faults_are_told_at_once() -> None:
    """Each with its place; two of one name cannot be told apart."""
    named = {"type": "function", "function": {"name": "weather"}}
    with pytest.raises(ConfigError) as caught:
        read_tools([waits, weather, named, many])
    assert [fault[:8] for fault in caught.value.faults] == ["tools[0]", "tools[3]", "tools[2]"]
    assert "tools[2] is called 'weather' like tools[1]" in str(caught.value)


def test_tools_are_told_as_dicts() -> None:
    """A mixture; dicts only are left as they are."""
    search = {"type": "web_search"}
    mixed: list[Any] = [weather, search]
    assert schemas_of(mixed) == [tool_schema(weather), search]
    dicts: list[Any] = [search, {"type": "function", "function": {"name": "f"}}]
    assert schemas_of(dicts) is dicts
    assert schemas_of(None) is None
    assert GenerationRequest.builder("Hi").tools(weather, search).build().tools == (weather, search)


def test_no_tool_is_not_a_function() -> None:
    """`Tool` takes what can be called."""
    with pytest.raises(ConfigError, match="a tool must be a function or a dict, not SimpleNamespace"):
        Tool(SimpleNamespace())  # type: ignore[arg-type]
