"""The shape of a document: sections, keys, key files; and that nothing whatever raises anything but ConfigError."""

from contextlib import suppress
from datetime import date, datetime, time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyllm._secret import Secret
from flyllm.config.kinds import INSTANCE_KINDS, SETTING_KINDS
from flyllm.config.model import ManagerConfig
from flyllm.config.toml_file import config_from_dict, config_from_toml
from flyllm.errors import ConfigError

PROVIDER = '[[providers]]\ntype = "openai"\nmodel = "gpt-4"\n'


def test_an_unknown_key_of_a_provider(faults):
    (fault,) = faults(f'{PROVIDER}api_key = "k"\nmodle = "gpt-4"')
    assert fault.startswith("Unknown key 'modle' in providers[0]: did you mean 'model'?\n  → Valid keys: type, model, ")


def test_an_unknown_key_of_the_settings(faults):
    (fault,) = faults(f'[settings]\nmax_retry = 1\n{PROVIDER}api_key = "k"')
    assert fault.startswith(
        "Unknown key 'max_retry' in settings: did you mean 'max_retries'?\n  → Valid keys: strategy"
    )


def test_an_unknown_section(faults):
    (fault,) = faults(f'[setings]\n{PROVIDER}api_key = "k"')
    assert fault == (
        "Unknown key 'setings' in the configuration: did you mean 'settings'?\n"
        "  → Valid keys: settings, tasks, providers"
    )


def test_any_other_key_of_a_task_is_a_parameter():
    config = config_from_toml(
        f'[[tasks]]\nname = "t"\ntimeout = 2\nseed = 7\nmirostat = 1\n{PROVIDER}api_key = "k"\ntasks = ["t"]'
    )
    assert dict(config.tasks[0].params) == {"seed": 7, "mirostat": 1}
    assert config.tasks[0].timeout == 2.0


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("settings = 1", "settings must be a table, found 1"),
        ("tasks = 1", "'tasks' must be a list of tables, each headed [[tasks]], found a number"),
        ("[providers]", "'providers' must be a list of tables, each headed [[providers]], found a table"),
        ("providers = [1]", "providers[0] must be a table, found 1"),
    ],
)
def test_sections_of_another_shape(faults, text, fault):
    assert fault in faults(text)


def test_missing_type_and_model(faults):
    assert faults('[[providers]]\napi_key = "k"') == (
        "Missing key 'type' in providers[0]\n  → It must be a non-empty string",
        "Missing key 'model' in providers[0]\n  → It must be a non-empty string",
    )


def test_a_key_from_a_file_is_stripped(tmp_path):
    path = tmp_path / "key"
    path.write_text("\n the-key \n")
    config = config_from_toml(f'{PROVIDER}api_key_file = "${{FOLDER}}/key"', environ={"FOLDER": str(tmp_path)})
    assert config.instances[0].api_key == Secret("the-key")


def test_a_key_file_that_is_not_there(faults):
    assert faults(f'{PROVIDER}api_key_file = "/run/no/such"') == (
        "Failed to read api_key_file '/run/no/such' in providers[0]: No such file or directory",
    )


def test_a_key_in_place_of_a_key_files_name_is_not_shown(faults):
    (fault,) = faults(f'{PROVIDER}api_key_file = "sk-canary-51fb0d22e7"')
    assert "canary" not in fault


def test_a_key_file_that_is_no_text(faults, tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"\xff\xff")
    (fault,) = faults(f'{PROVIDER}api_key_file = "{path}"')
    assert fault.endswith("in providers[0]: it cannot be read as UTF-8 text")


def test_an_empty_key_file_is_an_empty_key(faults, tmp_path):
    path = tmp_path / "key"
    path.write_text("\n")
    (fault,) = faults(f'{PROVIDER}api_key_file = "{path}"')
    assert fault.startswith("Empty api_key for provider 'openai' in providers[0]")


def test_a_key_and_a_key_file_contradict_each_other(faults):
    assert faults(f'{PROVIDER}api_key = "k"\napi_key_file = "f"') == (
        "Both api_key and api_key_file in providers[0]\n  → Remove one of them",
    )


def test_a_key_files_name_must_be_a_string(faults):
    assert faults(f"{PROVIDER}api_key_file = 1") == ("'api_key_file' in providers[0] must be a string, found 1",)


def test_keys_that_are_no_strings():
    with pytest.raises(ConfigError) as caught:
        config_from_dict({1: 2, "providers": [{"type": "ollama", "model": "m", "params": {None: 1}}]})
    assert caught.value.faults == (
        "Keys in the configuration must be strings, found 1",
        "'params' in providers[0] must be a table with string keys, found a table",
    )


KEYS = st.sampled_from(
    [*INSTANCE_KINDS, *SETTING_KINDS, "settings", "tasks", "providers", "type", "api_key_file", "max_tokens"]
)
WORDS = st.sampled_from(["openai", "ollama", "chat", "${X}", "${NO}", "$${", "http://h/v1", "http://[", "lru", "", " "])
SCALARS = st.one_of(
    WORDS,
    st.text(max_size=8),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.booleans(),
    st.none(),
    st.binary(max_size=3),
    st.sampled_from([date(2026, 1, 1), datetime(2026, 1, 1), time(1)]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(KEYS | st.text(max_size=4) | st.integers(), inner, max_size=5)
    ),
    max_leaves=15,
)
NEARLY = st.fixed_dictionaries(
    {"providers": st.lists(st.dictionaries(KEYS, ANYTHING, max_size=6) | ANYTHING, max_size=3)},
    optional={
        "settings": st.dictionaries(KEYS, ANYTHING, max_size=5) | ANYTHING,
        "tasks": st.lists(st.dictionaries(KEYS, ANYTHING, max_size=4) | ANYTHING, max_size=3) | ANYTHING,
    },
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANYTHING | NEARLY)
def test_any_document_gives_a_configuration_or_one_config_error(document):
    with suppress(ConfigError):
        assert isinstance(config_from_dict(document, {"X": "x"}), ManagerConfig)


GOOD_PROVIDER = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["openai", "OLLAMA", "groq"]),
        "model": st.sampled_from(["m", "${X}"]),
        "api_key": st.just("k"),
    },
    optional={
        "tasks": st.just(["t"]),
        "timeout": st.floats(0.001, 1e6),
        "enabled": st.booleans(),
        "params": st.dictionaries(st.text(max_size=3), ANYTHING, max_size=2),
        "headers": st.dictionaries(st.text(max_size=3), WORDS | st.text(max_size=5), max_size=2),
        "endpoint": WORDS | st.text(max_size=12),
    },
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.fixed_dictionaries({"tasks": st.just([{"name": "t"}]), "providers": st.lists(GOOD_PROVIDER, max_size=3)}))
def test_so_does_a_nearly_valid_document(document):
    with suppress(ConfigError):
        assert isinstance(config_from_dict(document, {"X": "x"}), ManagerConfig)
