"""Files, texts and dicts: what is read, and what is said when it cannot be. Includes the cases of the Rust original."""

import re
from pathlib import Path

import pytest

from flyllm._routing.strategies import STRATEGY_NAMES
from flyllm._secret import Secret
from flyllm.config.model import InstanceConfig, ManagerConfig
from flyllm.config.toml_file import config_from_dict, config_from_file, config_from_toml
from flyllm.errors import ConfigError
from flyllm.providers.registry import REGISTRY
from flyllm.tasks import TaskDefinition

EXAMPLE = Path(__file__).parents[3] / "examples" / "flyllm.example.toml"
CANARY = "sk-canary-51fb0d22e7"

MINIMAL = """
[[tasks]]
name = "chat"

[[providers]]
type = "openai"
model = "gpt-4"
api_key = "test-key"
tasks = ["chat"]
"""

FULL = """
[settings]
strategy = "lowest_latency"
max_retries = 10
timeout = 60
attempt_timeout = 20.5
max_workers = 8
unsupported_params = "error"
debug_folder = "./debug"

[[tasks]]
name = "summary"
max_tokens = 500
temperature = 0.3
timeout = 30
stop = ["END"]
logit_bias = { "50256" = -100 }

[[providers]]
type = "Anthropic"
model = "claude-3-sonnet"
api_key = " key1 "
name = "first"
tasks = ["summary"]
enabled = false
endpoint = "http://proxy:8080/v1"
api = "messages"
params = { top_k = 5 }
headers = { X-Team = "search" }
timeout = 5
max_concurrency = 3
"""


def test_minimal():
    assert config_from_toml(MINIMAL) == ManagerConfig(
        instances=(InstanceConfig("openai", "gpt-4", Secret("test-key"), ("chat",)),),
        tasks=(TaskDefinition("chat"),),
    )


def test_full():
    assert config_from_toml(FULL) == ManagerConfig(
        instances=(
            InstanceConfig(
                provider="anthropic",
                model="claude-3-sonnet",
                api_key=Secret("key1"),
                tasks=("summary",),
                name="first",
                endpoint="http://proxy:8080/v1",
                api="messages",
                enabled=False,
                params={"top_k": 5},
                headers={"X-Team": "search"},
                timeout=5.0,
                max_concurrency=3,
            ),
        ),
        tasks=(
            TaskDefinition(
                "summary",
                {"max_tokens": 500, "temperature": 0.3, "stop": ["END"], "logit_bias": {"50256": -100}},
                timeout=30.0,
            ),
        ),
        strategy="lowest_latency",
        max_retries=10,
        timeout=60.0,
        attempt_timeout=20.5,
        max_workers=8,
        unsupported_params="error",
        debug_folder="./debug",
    )


def test_defaults():
    config = config_from_toml('[[providers]]\ntype = "openai"\nmodel = "gpt-4"\napi_key = "key"')
    assert (config.strategy, config.max_retries, config.timeout, config.attempt_timeout) == ("lru", 5, 300.0, 180.0)
    assert (config.max_workers, config.unsupported_params, config.debug_folder) == (None, "warn", None)
    (instance,) = config.instances
    assert instance.enabled
    assert instance.tasks == ()
    assert (instance.endpoint, instance.name, instance.api, instance.timeout, instance.max_concurrency) == (None,) * 5
    assert (dict(instance.params), dict(instance.headers)) == ({}, {})


def test_custom_endpoint_and_empty_key():
    config = config_from_toml(
        '[[providers]]\ntype = "ollama"\nmodel = "llama3"\napi_key = ""\nendpoint = "http://localhost:11434"'
    )
    assert config.instances[0].endpoint == "http://localhost:11434"
    assert config.instances[0].api_key == Secret("")


def test_several_instances_of_one_provider():
    provider = '[[providers]]\ntype = "openai"\nmodel = "gpt-4"\napi_key = "key"\nname = "%s"\n'
    config = config_from_toml(provider % "openai-primary" + provider % "openai-backup")
    assert [instance.name for instance in config.instances] == ["openai-primary", "openai-backup"]


def test_a_variable_of_the_environment(monkeypatch):
    monkeypatch.setenv("FLYLLM_TEST_KEY", "resolved-api-key")
    config = config_from_toml(MINIMAL.replace("test-key", "${FLYLLM_TEST_KEY}"))
    assert config.instances[0].api_key == Secret("resolved-api-key")


def test_a_missing_variable(monkeypatch):
    monkeypatch.delenv("FLYLLM_NO_KEY", raising=False)
    with pytest.raises(ConfigError, match="Environment variable 'FLYLLM_NO_KEY' not found"):
        config_from_toml(MINIMAL.replace("test-key", "${FLYLLM_NO_KEY}"))


def test_a_variable_in_an_endpoint():
    config = config_from_toml(
        '[[providers]]\ntype = "ollama"\nmodel = "llama3"\nendpoint = "${FLYLLM_TEST_ENDPOINT}"',
        environ={"FLYLLM_TEST_ENDPOINT": "http://custom:8080"},
    )
    assert config.instances[0].endpoint == "http://custom:8080"


@pytest.mark.parametrize("strategy", STRATEGY_NAMES)
def test_every_strategy(strategy):
    assert config_from_toml(f'[settings]\nstrategy = "{strategy.upper()}"\n{MINIMAL}').strategy == strategy


@pytest.mark.parametrize("provider", REGISTRY)
def test_every_provider_in_any_case(provider):
    config = config_from_toml(f'[[providers]]\ntype = "{provider.title()}"\nmodel = "m"\napi_key = "test-key"')
    assert config.instances[0].provider == provider


def test_a_file(tmp_path):
    path = tmp_path / "flyllm.toml"
    path.write_text(MINIMAL, encoding="utf-8-sig")
    assert config_from_file(path) == config_from_file(str(path)) == config_from_toml(MINIMAL)


def test_a_file_that_is_not_there():
    with pytest.raises(ConfigError) as caught:
        config_from_file("/nonexistent/path/config.toml")
    assert str(caught.value) == "Failed to read config file '/nonexistent/path/config.toml': No such file or directory"
    assert caught.value.__context__ is None


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "flyllm.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"Failed to read config file '.*': it is not UTF-8 text"):
        config_from_file(path)


def test_invalid_syntax_says_where():
    with pytest.raises(ConfigError, match=r"^Failed to parse TOML: .*at line 2, column 12\)$"):
        config_from_toml('\n[[providers]\ntype = "openai"')


def test_invalid_syntax_in_a_file_names_the_file():
    with pytest.raises(ConfigError, match=r"Failed to parse TOML: .*\n  → In a\.toml$"):
        config_from_toml("x = ", "a.toml")


@pytest.mark.parametrize("text", ["a = " + "[" * 5000 + "]" * 5000, "a = " + "1" * 5000])
def test_texts_that_break_the_parser_are_config_errors(text):
    with pytest.raises(ConfigError, match="Failed to parse TOML"):
        config_from_toml(text)


def test_a_syntax_error_does_not_carry_the_text_along():
    with pytest.raises(ConfigError) as caught:
        config_from_toml(f'api_key = "{CANARY}"\nx = ')
    assert caught.value.__context__ is None
    assert CANARY not in str(caught.value)


def test_many_faults_are_headed_by_the_source():
    with pytest.raises(ConfigError, match=r"^Config file 'a\.toml' is not valid \(2 faults\):"):
        config_from_toml("a = 1", "a.toml")


def test_a_dict_reads_like_the_file():
    document = {
        "tasks": [{"name": "chat"}],
        "providers": ({"type": "openai", "model": "gpt-4", "api_key": "${K}", "tasks": ("chat",)},),
    }
    assert config_from_dict(document, {"K": "test-key"}) == config_from_toml(MINIMAL)


def test_the_example_is_valid_with_the_two_keys_it_asks_for():
    config = config_from_file(EXAMPLE, {"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"})
    assert [instance.provider for instance in config.instances] == ["openai", "anthropic"]
    assert [task.name for task in config.tasks] == ["summary", "creative_writing", "code_generation", "chat"]


def test_the_example_is_valid_with_everything_switched_on(tmp_path):
    key_file = tmp_path / "key"
    key_file.write_text("c\n")
    text = re.sub(r"^# (?=(\[\[?\w|\w+ = ))", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = text.replace("/run/secrets/openai_backup", str(key_file))
    config = config_from_toml(text, environ={"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"})
    assert len(config.instances) == 5
    assert (config.max_workers, config.log_level) == (32, "info")
    assert config.tasks[3].provider_params == {"anthropic": {"top_k": 40}}
    assert config.instances[2].api_key == Secret("c")
