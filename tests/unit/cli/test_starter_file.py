"""The file that `flyllm init` writes: valid for any keys, complete, and without a key."""

import json
import tomllib
from dataclasses import replace
from itertools import chain, combinations
from typing import Any

import pytest

from flyllm.cli.init.settings import EXAMPLES, setting_lines
from flyllm.cli.init.starters import starters
from flyllm.cli.init.template import starter_file
from flyllm.config.kinds import SETTING_KINDS
from flyllm.config.model import ManagerConfig
from flyllm.config.toml_file import config_from_toml
from flyllm.providers.registry import REGISTRY

VARIABLES = [row.key_variable for row in REGISTRY.values() if row.key_variable]
SETS = list(chain.from_iterable(combinations(VARIABLES, size) for size in (0, 1, 2, len(VARIABLES))))


@pytest.mark.parametrize("names", SETS, ids="+".join)
def test_it_loads_with_the_keys_it_was_written_for(names: tuple[str, ...]) -> None:
    environ = dict.fromkeys(names, "the-key-itself")
    text = starter_file(starters(environ))
    config = config_from_toml(text, environ=environ)
    expected = [row.name for row in REGISTRY.values() if row.key_variable in names] or ["ollama"]
    assert [instance.provider for instance in config.instances] == expected
    assert "the-key-itself" not in text


def test_all_providers_are_in_it_and_load_without_the_comment_signs() -> None:
    head, _, blocks = starter_file(starters({})).partition("# [[providers]]")
    text = head + "[[providers]]" + blocks.replace("\n# ", "\n")
    config = config_from_toml(text, environ=dict.fromkeys(VARIABLES, "k"))
    assert {instance.provider for instance in config.instances} == set(REGISTRY)


def test_a_variable_that_is_set_but_empty_is_no_key() -> None:
    assert not any(starter.found for starter in starters({"OPENAI_API_KEY": " "}))


def test_the_names_that_the_sdks_know_are_found_too() -> None:
    text = starter_file(starters({"GEMINI_API_KEY": "k"}))
    assert '\napi_key = "${GEMINI_API_KEY}"' in text
    assert "GOOGLE_API_KEY" not in text


def tomled(told: dict[str, Any]) -> str:
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in told.items())


def test_its_settings_are_the_defaults() -> None:
    told = tomllib.loads("\n".join(line.removeprefix("# ") for line in setting_lines()))
    default = ManagerConfig(instances=())
    values = {name: value for name, value in told.items() if name not in EXAMPLES}
    assert replace(default, **values) == default
    config_from_toml(f'[settings]\n{tomled(told)}\n[[providers]]\ntype = "ollama"\nmodel = "m"\n')
    assert {name for name in SETTING_KINDS if getattr(default, name) is not None} <= set(told)
