"""What `flyllm check` says of an instance that fails, and of what is allowed and hardly meant."""

import pytest

from flyllm import errors
from flyllm._secret import Origin, Secret
from flyllm.cli.check.advice import advice
from flyllm.cli.check.facts import instance_facts, notes
from flyllm.cli.exit_codes import code_of
from flyllm.config.model import InstanceConfig
from flyllm.config.toml_file import config_from_dict

INSTANCE = InstanceConfig("openai", "m", Secret("the-key-itself"))


def told(error: errors.LLMError, key: Secret = INSTANCE.api_key) -> str:
    return advice(error, InstanceConfig("openai", "m", key), "my model", "host:1")


def test_every_error_of_a_provider_has_an_advice() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.APIError)]
    assert len(kinds) > 8
    assert all(told(kind()) for kind in kinds if kind is not errors.APIError)


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (Secret("the-key-itself", Origin("${OPENAI_API_KEY}")), "the key in ${OPENAI_API_KEY}"),
        (Secret("the-key-itself", Origin(file="/run/key")), "the key in /run/key"),
        (Secret("the-key-itself"), "api_key in the configuration"),
        (Secret(""), "api_key, which is not given"),
    ],
)
def test_a_refused_key_is_told_by_its_place(key: Secret, place: str) -> None:
    assert told(errors.AuthenticationError(), key) == f"check {place}"


def test_names_and_hosts_are_ready_to_use() -> None:
    assert told(errors.ModelNotFoundError()).endswith('--instance "my model"')
    assert "host:1" in told(errors.RequestError())


def test_the_host_is_shown_and_nothing_else_of_an_address() -> None:
    provider = {"type": "openai", "model": "m", "endpoint": "http://proxy:8080/token-in-path/v1", "api_key": "k"}
    (facts,) = instance_facts(config_from_dict({"providers": [provider]}))
    assert facts.host == "proxy:8080"
    assert "token" not in str(facts.as_json())


def test_a_task_of_disabled_instances_is_noted() -> None:
    local = {"type": "ollama", "model": "m"}
    tasks = {"tasks": [{"name": "chat"}]}
    config = config_from_dict(tasks | {"providers": [local, {**local, "tasks": ["chat"], "enabled": False}]})
    assert list(notes(config, instance_facts(config))) == ["task 'chat' is served by disabled instances only"]


def test_codes_tell_all_some_and_none() -> None:
    assert [code_of(2, 0), code_of(1, 1), code_of(0, 2), code_of(0, 0)] == [0, 3, 4, 4]
