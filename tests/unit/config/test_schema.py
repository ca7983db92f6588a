"""The JSON Schema: takes what the loader takes, and marks what it refuses as far as a schema can."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from flyllm.config.kinds import FILE_KEYS, INSTANCE_KINDS, SETTING_KINDS, TASK_KINDS
from flyllm.config.schema import json_schema
from tests.unit.config.toml_text import VALID_PROVIDER, VALID_SETTINGS, VALID_TASK, toml_of, valid_documents

EXAMPLE = Path(__file__).parents[3] / "examples" / "flyllm.example.toml"
SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
PROVIDER = {"type": "openai", "model": "m"}
SECTIONS = {
    "settings": SCHEMA["properties"]["settings"],
    "tasks": SCHEMA["properties"]["tasks"]["items"],
    "providers": SCHEMA["properties"]["providers"]["items"],
}
ALL = [
    *(("settings", key) for key in VALID_SETTINGS),
    *(("tasks", key) for key in VALID_TASK),
    *(("providers", key) for key in [*VALID_PROVIDER, "tasks", "api_key_file"]),
]


def document(section: str, **changes: Any) -> dict[str, Any]:
    """Return a document with `changes` in one section."""
    whole: dict[str, Any] = {"settings": {}, "tasks": [{"name": "t"}], "providers": [dict(PROVIDER)]}
    (whole["settings"] if section == "settings" else whole[section][0]).update(changes)
    return whole


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_it_knows_every_key_and_says_what_it_means() -> None:
    assert list(SECTIONS["settings"]["properties"]) == list(SETTING_KINDS)
    assert list(SECTIONS["tasks"]["properties"]) == [name for name in TASK_KINDS if name != "params"]
    keys = [*(FILE_KEYS.get(name, name) for name in INSTANCE_KINDS), "api_key_file"]
    assert list(SECTIONS["providers"]["properties"]) == keys
    for section in SECTIONS.values():
        for key, schema in section["properties"].items():
            assert len(schema["description"]) > 10, key


def test_the_example_is_valid() -> None:
    VALIDATOR.validate(tomllib.loads(EXAMPLE.read_text(encoding="utf-8")))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(valid_documents())
def test_every_valid_document_is_valid(given_document: dict[str, Any]) -> None:
    VALIDATOR.validate(tomllib.loads(toml_of(given_document)))


@pytest.mark.parametrize(("section", "key"), [each for each in ALL if each[0] != "tasks"])
def test_a_misspelt_key_is_not(section: str, key: str) -> None:
    assert not VALIDATOR.is_valid(document(section, **{f"{key}s": 1}))
    assert not VALIDATOR.is_valid({**document(section), f"{section}x": []})


@pytest.mark.parametrize(("section", "key"), ALL)
def test_a_value_of_a_wrong_type_is_not(section: str, key: str) -> None:
    for wrong in ([1], {"a": 1, "b": []}, "5" if SECTIONS[section]["properties"][key].get("type") != "string" else 5):
        if not (key == "params" and isinstance(wrong, dict)):
            assert not VALIDATOR.is_valid(document(section, **{key: wrong})), wrong


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("settings", "strategy", "lowest_latncy"),
        ("settings", "max_retries", -1),
        ("settings", "timeout", 0),
        ("settings", "attempt_timeout", float("inf")),
        ("settings", "unsupported_params", "ignore"),
        ("settings", "log_level", "verbose"),
        ("tasks", "name", " "),
        ("tasks", "provider_params", {"opnai": {}}),
        ("providers", "type", "opnai"),
        ("providers", "model", ""),
        ("providers", "rpm", 0),
        ("providers", "weight", 0),
        ("providers", "headers", {"X-A": 1}),
    ],
)
def test_a_value_out_of_range_is_not(section: str, key: str, value: Any) -> None:
    assert not VALIDATOR.is_valid(document(section, **{key: value}))


@pytest.mark.parametrize("missing", ["type", "model"])
def test_what_every_provider_needs(missing: str) -> None:
    assert not VALIDATOR.is_valid({"providers": [{key: word for key, word in PROVIDER.items() if key != missing}]})
    assert not VALIDATOR.is_valid({"providers": []})
    assert not VALIDATOR.is_valid({})


@given(st.sampled_from(["openai", "OpenAI", " groq", "${PROVIDER}", "${P:-openai}"]))
def test_words_may_be_in_any_case_or_come_from_a_variable(word: str) -> None:
    VALIDATOR.validate(document("providers", type=word))
