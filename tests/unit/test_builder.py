"""The builder: the same configuration as from a file, and all its faults in one error at the end."""

import math
from contextlib import suppress
from inspect import signature
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyllm._secret import Secret
from flyllm.builder import ManagerBuilder
from flyllm.config.model import ManagerConfig
from flyllm.config.toml_file import config_from_toml
from flyllm.errors import ConfigError
from flyllm.tasks import TaskDefinition
from flyllm.types import ProviderType

CANARY = "sk-canary-51fb0d22e7"


def builder():
    return ManagerBuilder(lambda config: ("made of", config))


def faults_of(built):
    with pytest.raises(ConfigError) as caught:
        built.build()
    return caught.value.faults


def test_build_hands_the_validated_configuration_to_the_factory():
    made, config = builder().add_instance("OLLAMA", "llama3").build()
    assert made == "made of"
    assert isinstance(config, ManagerConfig)
    assert config.instances[0].provider == "ollama"


def test_builder_and_file_give_equal_configurations():
    built = (
        builder()
        .define_task(TaskDefinition("summary").with_max_tokens(500).with_temperature(0.3).with_timeout(30))
        .define_task(TaskDefinition("chat").with_param("top_p", 0.9))
        .add_instance(ProviderType.OPENAI, "gpt-4o-mini", "key1", name="first")
        .supports("summary")
        .supports("chat")
        .api("responses")
        .enabled(False)
        .params(seed=7)
        .params(stop=["END"])
        .header("X-A", "a")
        .header("X-B", "b")
        .attempt_timeout(9)
        .max_concurrency(4)
        .rpm(500)
        .tpm(200_000)
        .weight(2)
        .priority(1)
        .context_window(128_000)
        .add_provider("Ollama", "llama3", "")
        .supports_many(["summary", "chat"])
        .custom_endpoint("http://localhost:11434")
        .name("second")
        .strategy("lowest_latency")
        .max_retries(3)
        .timeout(60)
        .default_attempt_timeout(20)
        .max_stall(30)
        .retry_ratio(0.2)
        .max_workers(8)
        .unsupported_params("error")
        .debug_folder(Path("debug_logs"))
    )
    file = config_from_toml(
        """
        [settings]
        strategy = "lowest_latency"
        max_retries = 3
        timeout = 60
        attempt_timeout = 20
        max_stall = 30
        retry_ratio = 0.2
        max_workers = 8
        unsupported_params = "error"
        debug_folder = "debug_logs"

        [[tasks]]
        name = "summary"
        max_tokens = 500
        temperature = 0.3
        timeout = 30

        [[tasks]]
        name = "chat"
        top_p = 0.9

        [[providers]]
        type = "openai"
        model = "gpt-4o-mini"
        api_key = "key1"
        name = "first"
        tasks = ["summary", "chat"]
        api = "responses"
        enabled = false
        params = { seed = 7, stop = ["END"] }
        headers = { X-A = "a", X-B = "b" }
        timeout = 9
        max_concurrency = 4
        rpm = 500
        tpm = 200000
        weight = 2.0
        priority = 1
        context_window = 128000

        [[providers]]
        type = "ollama"
        model = "llama3"
        name = "second"
        tasks = ["summary", "chat"]
        endpoint = "http://localhost:11434"
        """
    )
    assert built.config() == file


def test_defaults_equal_a_files_defaults():
    file = config_from_toml('[[providers]]\ntype = "openai"\nmodel = "m"\napi_key = "k"')
    assert builder().add_instance("openai", "m", "k").config() == file


def test_options_are_the_same_as_methods():
    by_option = builder().add_instance(
        "openai", "m", Secret("k"), endpoint="http://h", params={"seed": 1}, headers={"A": "b"}, timeout=5
    )
    by_method = builder().add_instance("openai", "m", "k").custom_endpoint("http://h").params(seed=1).header("A", "b")
    assert by_option.config() == by_method.attempt_timeout(5).config()


def test_options_and_methods_add_up():
    built = builder().define_task(TaskDefinition("a")).define_task(TaskDefinition("b"))
    config = built.add_instance("ollama", "m", tasks=["a"], params={"x": 1}).supports("b").params(y=2).config()
    assert config.instances[0].tasks == ("a", "b")
    assert dict(config.instances[0].params) == {"x": 1, "y": 2}


def test_a_variable_is_not_filled_in_by_the_builder():
    assert builder().add_instance("ollama", "${MODEL}").config().instances[0].model == "${MODEL}"


def test_no_limit_for_a_request():
    assert builder().add_instance("ollama", "m").timeout(None).config().timeout is None


def test_no_limit_for_waiting():
    assert builder().add_instance("ollama", "m").max_stall(None).config().max_stall == math.inf


def test_every_method_that_concerns_an_instance_must_follow_one():
    built = (
        builder()
        .supports("a")
        .supports_many(["a"])
        .custom_endpoint("http://h")
        .name("n")
        .api("chat")
        .enabled(True)
        .params(a=1)
        .header("a", "b")
        .attempt_timeout(1)
        .max_concurrency(1)
        .rpm(1)
        .tpm(1)
        .weight(1)
        .priority(1)
        .context_window(1)
        .add_instance("ollama", "m")
    )
    methods = "supports supports_many custom_endpoint name api enabled params header attempt_timeout max_concurrency"
    methods += " rpm tpm weight priority context_window"
    assert faults_of(built) == tuple(f".{method}() must follow .add_instance()" for method in methods.split())


def test_all_faults_come_at_once():
    found = faults_of(
        builder()
        .supports("early")
        .define_task("chat")
        .add_instance("opnai", "", 5, timout=1)
        .supports_many("chat")
        .supports_many(7)
        .supports(None)
        .strategy(object())
        .max_retries(-1)
    )
    assert [fault.split(", found an obj")[0].splitlines()[0] for fault in found] == [
        ".supports() must follow .add_instance()",
        ".define_task() takes a TaskDefinition, found a string",
        "Unknown key 'timout' in providers[0]: did you mean 'timeout'?",
        ".supports_many() takes a list of task names, found a string",
        ".supports_many() takes a list of task names, found a number",
        "'strategy' in settings must be a strategy's name or an object with a select method",
        "'max_retries' in settings must be a whole number of at least 0, found -1",
        "'model' in providers[0] must be a non-empty string, found the string ''",
        "'api_key' in providers[0] must be a string, found a number",
        "'tasks' in providers[0] must be a list of task names, found a list",
        "Unknown provider type 'opnai' in providers[0]: did you mean 'openai'?",
    ]


def test_a_key_that_the_environment_did_not_have():
    (fault,) = faults_of(builder().add_instance("openai", "m", None))
    assert fault == "'api_key' in providers[0] must be a string, found None"


def test_options_of_a_wrong_type_survive_the_methods_that_extend_them():
    found = faults_of(
        builder().add_instance("ollama", "m", tasks=5, params=5, headers=5).supports("a").params(b=1).header("c", "d")
    )
    assert [fault.split("'")[1] for fault in found] == ["tasks", "params", "headers"]


def test_nothing_shows_a_key():
    built = builder().add_instance("openai", CANARY, CANARY).supports("x").custom_endpoint(f"ftp://{CANARY}")
    assert CANARY not in repr(vars(builder().add_instance("openai", "m", CANARY)))
    assert CANARY not in str(faults_of(built))
    config = builder().add_instance("openai", "m", CANARY).header("Authorization", CANARY).config()
    assert CANARY not in repr(config)
    assert config.instances[0].api_key.reveal() == CANARY


def test_a_builder_can_be_used_again():
    built = builder().add_instance("ollama", "a")
    first = built.config()
    second = built.add_instance("ollama", "b").config()
    assert [len(first.instances), len(second.instances)] == [1, 2]


METHODS = [
    name
    for name, method in vars(ManagerBuilder).items()
    if not name.startswith("_") and len(signature(method).parameters) == 2 and name != "params"
]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.lists(st.text()),
    st.just(object),
    st.just({}),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(METHODS), VALUES), max_size=8), VALUES, VALUES, VALUES, VALUES)
def test_no_argument_raises_anything_but_config_error(calls, provider, model, key, params):
    built = builder().add_instance(provider, model, key, params=params).params(x=params).header("X", key)
    for method, value in calls:
        built = getattr(built, method)(value)
    with suppress(ConfigError):
        assert built.build()
