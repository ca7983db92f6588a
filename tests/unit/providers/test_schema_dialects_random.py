"""Random schemas: whatever they say, each dialect's form of them is one that its provider takes."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from flyllm.providers.schemas import dialects
from flyllm.providers.schemas.adapting import adapted
from flyllm.providers.schemas.dialect import SchemaDialect
from flyllm.testing.wires import forms_anthropic, forms_native, forms_openai
from tests.unit.providers.random_schemas import LEAF, schemas, tame, value_of

Json = dict[str, Any]
MODEL = "openai/gpt-oss-20b"
REFUSALS: dict[str, Callable[[Any], Any]] = {
    "OPENAI": forms_openai.strict_fault,
    "GROQ": forms_openai.groq_fault,
    "ANTHROPIC": forms_anthropic.fault,
    "GOOGLE": forms_native.google_fault,
    "MISTRAL": forms_native.mistral_fault,
    "COHERE": forms_native.cohere_fault,
    "PERPLEXITY": forms_native.perplexity_fault,
    "LLAMA": forms_native.llama_fault,
    "TOGETHER": lambda schema: None,
}
DIALECTS = pytest.mark.parametrize("name", REFUSALS)


def dialect(name: str) -> SchemaDialect:
    found: SchemaDialect = getattr(dialects, name)
    return found


def asked(schema: Any) -> Json:
    return {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": schema}}


@DIALECTS
@settings(max_examples=40)
@given(schema=schemas)
def test_a_schema_is_written_so_that_its_provider_takes_it(name: str, schema: Json) -> None:
    """By the simulator's own checks; or it is not asked to be strict about it."""
    form = adapted(asked(schema), dialect(name), MODEL).response_format["json_schema"]
    if form["strict"]:
        assert REFUSALS[name](form["schema"]) is None
        Draft202012Validator.check_schema(form["schema"])


@DIALECTS
@settings(max_examples=40)
@given(schema=schemas)
def test_adapting_again_changes_nothing_more(name: str, schema: Json) -> None:
    """What is written in a dialect is what the dialect makes of it."""
    before = copy.deepcopy(schema)
    once = adapted(asked(schema), dialect(name), MODEL)
    again = adapted(once.response_format, dialect(name), MODEL)
    assert schema == before
    assert again.response_format == once.response_format
    if once.response_format["json_schema"]["strict"]:
        assert again.changes == ()


@DIALECTS
@settings(max_examples=40)
@given(data=st.data())
def test_what_a_schema_takes_with_all_its_properties_its_form_takes_as_well(name: str, data: st.DataObject) -> None:
    """None is added but that properties be there: true of closed schemas without recursion."""
    inner = data.draw(tame)
    schema = {"type": "object", "properties": {"it": inner}, "$defs": {"Leaf": LEAF}}
    value = {"it": data.draw(st.composite(lambda draw: value_of(inner, draw))())}
    Draft202012Validator(schema).validate(value)
    form = adapted(asked(schema), dialect(name), MODEL).response_format["json_schema"]
    assert form["strict"]
    Draft202012Validator(form["schema"]).validate(value)


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "anyOf", "allOf", "$ref", "$defs", "enum", "required", "x"]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=12,
)


@DIALECTS
@settings(max_examples=40)
@given(schema=_JSON)
def test_what_is_no_schema_at_all_breaks_nothing(name: str, schema: Any) -> None:
    """It is left as it is or written as far as it is understood; what comes of it is JSON."""
    json.dumps(adapted(asked(schema), dialect(name), MODEL).response_format)
