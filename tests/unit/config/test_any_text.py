"""Whatever a TOML text says: a configuration, or one ConfigError that shows no variable's value."""

import os
import re
import tomllib
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyllm import LLMManager
from flyllm.config.model import ManagerConfig
from flyllm.config.toml_file import config_from_dict, config_from_toml
from flyllm.errors import ConfigError
from tests.unit.config.toml_text import ANYTHING, ENVIRON, KEYS, NEAR, toml_of, valid_documents, value_of

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
CANARY = ENVIRON["X"]
CHANGES = st.tuples(st.sampled_from(["settings", "tasks", "providers"]), KEYS, ANYTHING)


def outcome(text: str) -> None:
    """Build a manager of `text`, or see that the error shows nothing of the environment."""
    error = None
    with patch.dict(os.environ, ENVIRON):
        os.environ.pop("NO", None)
        try:
            LLMManager.from_config_str(text).close()
        except ConfigError as exc:
            error = exc
    if error is not None:
        assert CANARY not in f"{error} {error!r} {error.faults}"
        assert error.__cause__ is error.__context__ is None


def faults_of(read: Callable[[], ManagerConfig]) -> tuple[str, ...]:
    try:
        read()
    except ConfigError as error:
        return error.faults
    return ()


@RELAXED
@given(st.dictionaries(KEYS | st.text(max_size=4), ANYTHING, max_size=3) | NEAR)
def test_any_document_gives_a_manager_or_one_config_error(document: dict[str, Any]) -> None:
    outcome(toml_of(document))


@RELAXED
@given(valid_documents(), CHANGES)
def test_so_does_a_valid_document_with_one_change(document: dict[str, Any], change: tuple[str, str, Any]) -> None:
    section, key, value = change
    for table in [document["settings"]] if section == "settings" else document[section][:1]:
        table[key] = value
    document["settings"].pop("log_level", None)  # a manager may then set logging up, for the whole process
    outcome(toml_of(document))


@RELAXED
@given(st.text() | st.lists(st.sampled_from(["[", "]", "providers", "=", '"', "\n", "1", "{", "}", ".", "'", "#"])))
def test_so_does_any_text(text: str | list[str]) -> None:
    outcome("".join(text))


@RELAXED
@given(valid_documents())
def test_a_valid_document_is_a_configuration(document: dict[str, Any]) -> None:
    assert config_from_toml(toml_of(document), environ=ENVIRON) == config_from_dict(document, ENVIRON)


@RELAXED
@given(NEAR)
def test_every_fault_of_a_text_names_a_line_and_is_the_dicts_fault_else(document: dict[str, Any]) -> None:
    text = toml_of(document)
    faults = faults_of(lambda: config_from_toml(text, environ=ENVIRON))
    others = faults_of(lambda: config_from_dict(tomllib.loads(text), ENVIRON))
    assert [fault.split("\n")[0] for fault in faults] == [fault.split("\n")[0] for fault in others]
    for fault in faults:
        place = re.search(r"\n  → (In|Referenced in) line (\d+): ", fault)
        assert place or (fault.startswith("No providers") and "providers" not in document), fault
        assert place is None or int(place[2]) <= text.count("\n") + 1


def test_numbers_beyond_all_measure_are_taken_or_refused() -> None:
    huge = 10**400
    keys = ["max_concurrency", "rpm", "priority", "weight", "input_cost", "timeout", "context_window"]
    for key, value in [(key, number) for key in keys for number in (huge, -huge)]:
        provider = {"type": "ollama", "model": "m", key: value}
        outcome(toml_of({"settings": {"max_retries": huge, "max_workers": huge}, "providers": [provider]}))


def test_the_writer_of_these_tests_writes_what_tomllib_reads() -> None:
    value = {"a": ["é\x7f\n\"'", {"b.c": 1.5}], "": True}
    assert tomllib.loads(f"x = {value_of(value)}") == {"x": value}
    document = {"a": 1, "settings": {"b": "c"}, "providers": [{"d": [1]}, {}]}
    assert tomllib.loads(toml_of(document)) == document
