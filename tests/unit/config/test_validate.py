"""Every rule about values, one test each; faults are asserted in the words that users search for."""

import math

import pytest

from flyllm._routing.strategies import STRATEGY_NAMES
from flyllm._secret import Secret
from flyllm.config.model import InstanceConfig, ManagerConfig
from flyllm.config.toml_file import config_from_dict, config_from_toml
from flyllm.config.validate import faults_of, validated
from flyllm.errors import ConfigError
from flyllm.providers.registry import REGISTRY
from flyllm.tasks import TaskDefinition

CANARY = "sk-canary-51fb0d22e7"
OPENAI = {"type": "openai", "model": "gpt-4", "api_key": "k"}


@pytest.fixture
def check():
    """Return a function that gives the faults of one provider and some settings and tasks."""

    def faults(provider=OPENAI, settings=None, defined=(), **changes):
        document = {"providers": [{**provider, **changes}], "settings": settings or {}, "tasks": defined}
        try:
            config_from_dict(document, {})
        except ConfigError as error:
            return error.faults
        return ()

    return faults


def test_unknown_provider(check):
    assert check(type="x") == (f"Unknown provider type 'x' in providers[0]\n  → Valid types: {', '.join(REGISTRY)}",)


def test_a_provider_nearly_right(check):
    (fault,) = check(type="antropic")
    assert fault.startswith(
        "Unknown provider type 'antropic' in providers[0]: did you mean 'anthropic'?\n  → Valid types:"
    )


def test_unknown_strategy(check):
    assert check(settings={"strategy": "x"}) == (
        f"Unknown strategy 'x'\n  → Valid strategies: {', '.join(STRATEGY_NAMES)}",
    )
    (fault,) = check(settings={"strategy": "lowest_latncy"})
    assert fault.startswith("Unknown strategy 'lowest_latncy': did you mean 'lowest_latency'?\n")


def test_undefined_task_names_the_provider_by_type_and_model(check):
    assert check(defined=[{"name": "chat"}], tasks=["chat", "x"]) == (
        "Task 'x' referenced by provider 'openai/gpt-4' is not defined\n"
        "  → Define it in [[tasks]] section or remove from provider's tasks list",
    )


def test_undefined_task_names_the_provider_by_its_name(check):
    (fault,) = check(tasks=["x"], name="main")
    assert fault.startswith("Task 'x' referenced by provider 'main' is not defined\n")


def test_a_task_nearly_right(check):
    fault, _ = check(defined=[{"name": "summary"}], tasks=["sumary"])
    assert "is not defined: did you mean 'summary'?" in fault


def test_a_task_that_nobody_serves(check):
    assert check(defined=[{"name": "chat"}]) == (
        "Task 'chat' is served by no provider\n  → Add it to a provider's tasks list or remove it",
    )


def test_a_disabled_instance_serves_its_tasks(check):
    assert check(defined=[{"name": "chat"}], tasks=["chat"], enabled=False) == ()


def test_duplicate_tasks(check):
    assert check(defined=[{"name": "a"}, {"name": "a"}], tasks=["a"]) == (
        "Duplicate task name 'a' in tasks[1]\n  → tasks[0] has it already",
    )


def test_duplicate_instance_names():
    with pytest.raises(ConfigError) as caught:
        config_from_dict({"providers": [{**OPENAI, "name": "a"}, OPENAI, OPENAI, {**OPENAI, "name": "a"}]})
    assert caught.value.faults == ("Duplicate provider name 'a' in providers[3]\n  → providers[0] has it already",)


def test_no_instances():
    with pytest.raises(ConfigError, match="No providers are configured"):
        config_from_toml("")


@pytest.mark.parametrize("model", ["", "  "])
def test_empty_model(check, model):
    (fault,) = check(model=model)
    assert fault == f"'model' in providers[0] must be a non-empty string, found the string '{model}'"


@pytest.mark.parametrize("name", [name for name, row in REGISTRY.items() if row.needs_key])
def test_an_empty_key_for_a_public_host(check, name):
    provider = {"type": name, "model": "m", "api_key": " "}
    for endpoint in ("", REGISTRY[name].root, REGISTRY[name].root.removeprefix("https://") + "/v1"):
        (fault,) = check(provider=provider, endpoint=endpoint)
        assert fault == (
            f"Empty api_key for provider '{name}' in providers[0]\n"
            f'  → Set it, in a file for example with api_key = "${{{REGISTRY[name].key_variable}}}"'
        )
    assert check(provider=provider, endpoint="http://localhost:8000") == ()


@pytest.mark.parametrize("name", [name for name, row in REGISTRY.items() if not row.needs_key])
def test_an_empty_key_for_a_local_provider(check, name):
    assert check(provider={"type": name, "model": "m"}) == ()


@pytest.mark.parametrize(
    "key", [f"{CANARY} {CANARY}", f"{CANARY}\nx", f"{CANARY}é", f"{CANARY}\x00", f"{CANARY}\u200b"]
)
def test_a_garbled_key(check, key):
    (fault,) = check(api_key=key)
    assert fault.startswith("The api_key in providers[0] holds a blank, a line break or a character outside ASCII")
    assert "canary" not in fault


@pytest.mark.parametrize(
    "endpoint",
    [
        "ftp://h",
        "http://",
        "http://a b",
        "http://[",
        "http://h:port",
        "http:/h",
        "https//h/v1",
        "http://h\x00",
        "h\ud800",
    ],
)
def test_an_endpoint_that_is_no_url(check, endpoint):
    (fault,) = check(endpoint=endpoint)
    assert fault.endswith("\n  → In providers[0].endpoint")


def test_an_endpoint_is_described_in_the_resolvers_words(check):
    (fault,) = check(endpoint="ftp://h")
    assert fault.startswith("Endpoint 'ftp://h' is not an http(s) URL. Example: ")


@pytest.mark.parametrize(
    "endpoint", ["ftp://user:canary@h", "http://user:canary@h", "http://h?key=canary", "ftp://h#canary"]
)
def test_secret_parts_of_an_endpoint_are_not_shown(check, endpoint):
    (fault,) = check(endpoint=endpoint)
    assert fault == "The endpoint is not an http(s) URL without user, query and fragment\n  → In providers[0].endpoint"


def test_unknown_api(check):
    (fault,) = check(api="chat")
    assert fault == "Unknown api 'chat' of openai. Valid: chat_completions, responses\n  → In providers[0].api"


SECONDS = "a number of seconds above 0"


@pytest.mark.parametrize("value", [0, -1, math.nan, -math.inf, True, "5", 1e300, 10**400])
def test_times_that_make_no_sense(check, value):
    assert f"must be {SECONDS}, or inf" in check(settings={"timeout": value})[0]
    assert f"'attempt_timeout' in settings must be {SECONDS}, found" in check(settings={"attempt_timeout": value})[0]
    assert f"'timeout' in providers[0] must be {SECONDS}, found" in check(timeout=value)[0]
    task = {"name": "a", "timeout": value}
    assert f"'timeout' in tasks[0] must be {SECONDS}, found" in check(defined=[task], tasks=["a"])[0]


def test_only_the_requests_deadline_can_be_lifted(check):
    assert config_from_dict({"providers": [OPENAI], "settings": {"timeout": math.inf}}).timeout is None
    assert check(settings={"attempt_timeout": math.inf})
    assert check(timeout=math.inf)


@pytest.mark.parametrize("value", [-1, 1.5, True, "3", math.nan])
def test_max_retries_is_a_whole_number(check, value):
    (fault,) = check(settings={"max_retries": value})
    assert fault.startswith("'max_retries' in settings must be a whole number of at least 0, found ")


def test_max_retries_may_be_zero(check):
    assert check(settings={"max_retries": 0}) == ()


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", 10**400])
def test_counts_are_at_least_one(check, value):
    words = "must be a whole number from 1 to 1000000000000"
    assert f"'max_workers' in settings {words}" in check(settings={"max_workers": value})[0]
    assert f"'max_concurrency' in providers[0] {words}" in check(max_concurrency=value)[0]


@pytest.mark.parametrize("key", ["rpm", "tpm", "context_window"])
@pytest.mark.parametrize("value", [0, -1, 1.5, 60.0, True, "60", math.nan, math.inf, 10**13])
def test_limits_that_make_no_sense(check, key, value):
    (fault,) = check(**{key: value})
    assert fault.startswith(f"'{key}' in providers[0] must be a whole number from 1 to 1000000000000, found ")


@pytest.mark.parametrize("value", [0, -1, 0.0, True, "1", math.nan, math.inf, -math.inf, 1e300, 10**400, None])
def test_weights_that_make_no_sense(check, value):
    (fault,) = check(weight=value)
    assert fault.startswith("'weight' in providers[0] must be a number above 0, at most 1000000, found ")


@pytest.mark.parametrize("value", [1.0, True, "1", math.nan, None])
def test_priorities_that_make_no_sense(check, value):
    (fault,) = check(priority=value)
    assert fault.startswith("'priority' in providers[0] must be a whole number, found ")


@pytest.mark.parametrize("value", [-0.1, -1, 101, True, "1", math.nan, math.inf, None])
def test_retry_ratios_that_make_no_sense(check, value):
    (fault,) = check(settings={"retry_ratio": value})
    assert fault.startswith("'retry_ratio' in settings must be a number from 0 to 100, found ")


@pytest.mark.parametrize("value", [0, -1, math.nan, -math.inf, True, "5", 1e300])
def test_stalls_that_make_no_sense(check, value):
    (fault,) = check(settings={"max_stall": value})
    assert fault.startswith("'max_stall' in settings must be a number of seconds above 0, or inf")


def test_all_limits_at_once():
    limits = {"rpm": 1, "tpm": 10**12, "weight": 2, "priority": -1, "context_window": 128_000}
    rules = {"max_stall": 5, "retry_ratio": 0}
    config = config_from_dict({"providers": [{**OPENAI, **limits}], "settings": rules})
    (instance,) = config.instances
    assert {key: getattr(instance, key) for key in limits} == limits
    assert (config.max_stall, config.retry_ratio) == (5.0, 0.0)
    assert [type(value) for value in (instance.weight, config.max_stall, config.retry_ratio)] == [float] * 3


def test_limits_have_defaults():
    config = config_from_dict({"providers": [OPENAI]})
    (instance,) = config.instances
    assert (instance.rpm, instance.tpm, instance.context_window) == (None, None, None)
    assert (instance.weight, instance.priority) == (1.0, 0)
    assert (config.max_stall, config.retry_ratio) == (300.0, 1.0)


@pytest.mark.parametrize("value", [math.inf, None])
def test_waiting_without_end_is_allowed(value):
    assert config_from_dict({"providers": [OPENAI], "settings": {"max_stall": value}}).max_stall == math.inf


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("enabled", 1, "true or false, found 1"),
        ("enabled", "yes", "true or false, found the string 'yes'"),
        ("tasks", "chat", "a list of task names, found the string 'chat'"),
        ("tasks", [1], "a list of task names, found a list"),
        ("tasks", [""], "a list of task names, found a list"),
        ("name", 1, "a string, found 1"),
        ("endpoint", True, "a string, found true"),
        ("api", [], "a string, found a list"),
        ("model", 4.5, "a non-empty string, found 4.5"),
        ("model", "m" * 100 + "\n", None),
        ("type", 10**30, "a non-empty string, found a number"),
        ("params", [1], "a table with string keys, found a list"),
        ("headers", "Authorization: canary", "a table of strings, found a string"),
        ("api_key", ["canary"], "a string, found a list"),
        ("api_key", 123456, "a string, found a number"),
        ("enabled", "x" * 61, "true or false, found a string of 61 characters"),
        ("enabled", object, "true or false, found an object of type type"),
    ],
)
def test_wrong_types_name_key_place_expected_and_found(check, key, value, words):
    assert check(**{key: value}) == ((f"'{key}' in providers[0] must be {words}",) if words else ())


def test_unsupported_params_is_a_choice(check):
    (fault,) = check(settings={"unsupported_params": "ignore"})
    assert fault == """'unsupported_params' in settings must be "warn" or "error", found the string 'ignore'"""


@pytest.mark.parametrize("value", ["verbose", "", 10, True])
def test_log_level_is_a_choice(check, value):
    (fault,) = check(settings={"log_level": value})
    assert fault.startswith("""'log_level' in settings must be "debug", "info", "warning" or "error", found """)


def test_log_level_is_left_alone_unless_it_is_given():
    assert config_from_dict({"providers": [OPENAI]}).log_level is None
    assert config_from_dict({"providers": [OPENAI], "settings": {"log_level": " INFO "}}).log_level == "info"


def test_provider_params_of_a_task(check):
    task = {"name": "a", "provider_params": {"opnai": {"x": 1}, "groq": 5, "Cohere": {"k": math.nan}}}
    found = [fault.splitlines()[0] for fault in check(defined=[task], tasks=["a"])]
    assert found == [
        "Unknown provider 'opnai' in tasks[0].provider_params: did you mean 'openai'?",
        "tasks[0].provider_params.groq must be a table with string keys, found 5",
        "Parameter 'k' in tasks[0].provider_params.Cohere cannot be sent as JSON, found a number",
    ]
    (fault,) = check(defined=[{"name": "a", "provider_params": [1]}], tasks=["a"])
    assert fault == "'provider_params' in tasks[0] must be a table of tables, one for each provider, found a list"


def test_provider_params_of_a_task_are_found_by_the_providers_name():
    tables = {"OpenAI": {"a": 1, "b": 1}, "openai": {"b": 2}}
    document = {"providers": [{**OPENAI, "tasks": ["t"]}], "tasks": [{"name": "t", "provider_params": tables}]}
    assert config_from_dict(document).tasks[0].provider_params == {"openai": {"a": 1, "b": 2}}


def test_a_name_with_a_line_break_stays_on_its_line(check):
    (fault,) = check(tasks=["a\nb"])
    assert fault.splitlines()[0] == "Task 'a\\nb' referenced by provider 'openai/gpt-4' is not defined"


def test_task_names_are_filled(check):
    assert check(defined=[{"name": ""}, {}])[:2] == (
        "'name' in tasks[0] must be a non-empty string, found the string ''",
        "Missing key 'name' in tasks[1]\n  → It must be a non-empty string",
    )


def test_parameters_are_named_by_strings():
    config = ManagerConfig((InstanceConfig("ollama", "m", tasks=("t",)),), (TaskDefinition("t", {1: 2}),))
    assert faults_of(config) == ["'params' in tasks[0] must be a table with string keys, found a table"]


def test_headers_are_what_http_can_carry(check):
    found = check(headers={"X-A": 5, "B\nC": "v", "X-D": f"{CANARY}\r\nX: y", "X-E": "ü", "X-F": " fine "})
    assert found == (
        "Header 'X-A' in providers[0].headers must be a string, found a number",
        "Header name 'B\\nC' in providers[0].headers is not allowed in HTTP",
        "Header 'X-D' in providers[0].headers holds a line break or a character outside ASCII",
        "Header 'X-E' in providers[0].headers holds a line break or a character outside ASCII",
    )


def test_parameters_are_what_json_can_carry(check):
    found = check(params={"a": math.nan, "b": [object()], "c": {"d": "\ud800"}, "e": [1, {"f": None}]})
    assert [fault.splitlines()[0] for fault in found] == [
        "Parameter 'a' in providers[0].params cannot be sent as JSON, found a number",
        "Parameter 'b' in providers[0].params cannot be sent as JSON, found a list",
        "Parameter 'c' in providers[0].params cannot be sent as JSON, found a table",
    ]
    (fault,) = check(defined=[{"name": "a", "t": {1, 2}}], tasks=["a"])
    assert fault.startswith("Parameter 't' in tasks[0] cannot be sent as JSON, found an object of type set")


def test_all_faults_come_at_once_in_the_files_order(faults):
    found = faults(
        """
        [settings]
        strategy = "x"
        max_retries = -1
        colour = 1
        [[tasks]]
        name = "a"
        timeout = 0
        [[providers]]
        type = "x"
        model = ""
        api_key = "${NO}"
        endpoint = "ftp://h"
        tasks = ["a", "b"]
        enabled = 1
        """
    )
    assert [fault.splitlines()[0][:40] for fault in found] == [
        "Environment variable 'NO' not found",
        "Unknown key 'colour' in settings",
        "'max_retries' in settings must be a whol",
        "Unknown strategy 'x'",
        "'timeout' in tasks[0] must be a number o",
        "'model' in providers[0] must be a non-em",
        "'enabled' in providers[0] must be true o",
        "Unknown provider type 'x' in providers[0",
        "Task 'b' referenced by provider 'x/' is ",
    ]


def test_no_message_holds_a_key_even_where_it_does_not_belong(check):
    long_key = "0123456789abcdefghij"
    for key in (CANARY, long_key, f"{long_key}\n"):
        wrong = {
            "type": "openai",
            "model": key,
            "api_key": key,
            "endpoint": f"ftp://{key}",
            "tasks": [key],
            "name": key,
        }
        found = check(provider=wrong)
        assert len(found) == 2
        assert key.strip() not in str(found)
    assert CANARY not in str(check(type=CANARY, model="m", enabled=CANARY, tasks=["x"], api_key="k"))


def test_a_task_that_looks_like_a_key_keeps_its_name(check):
    (fault,) = check(tasks=["key_points_of_text"])
    assert "Task 'key_points_of_text' referenced" in fault


def test_a_valid_configuration_has_no_faults_and_validates_again_to_itself():
    config = config_from_dict({"providers": [{**OPENAI, "params": {"a": [1]}, "headers": {"A": "b"}, "timeout": 1}]})
    assert faults_of(config) == []
    assert validated(config) == config


def test_the_validated_form_owns_its_values():
    stop = ["a"]
    draft = ManagerConfig(
        (InstanceConfig("OpenAI", " m ", Secret(" k "), ["t", "t"], name=" ", params={"stop": stop}),),
        (TaskDefinition("t", {"stop": stop}),),
        debug_folder="",
    )
    config = validated(draft)
    stop.append("b")
    (instance,) = config.instances
    assert (instance.provider, instance.model, instance.api_key, instance.tasks) == ("openai", "m", Secret("k"), ("t",))
    assert instance.params["stop"] == config.tasks[0].params["stop"] == ["a"]
    assert (instance.name, config.debug_folder) == (None, None)
    with pytest.raises(TypeError):
        instance.params["x"] = 1
    with pytest.raises(TypeError):
        instance.headers["x"] = "y"


def test_a_strategy_of_ones_own():
    class First:
        def select(self, candidates):
            return candidates[0]

    own = First()
    instances = (InstanceConfig("ollama", "m"),)
    assert validated(ManagerConfig(instances, strategy=own)).strategy is own
    for wrong in (First, object(), 5, None):
        (fault,) = faults_of(ManagerConfig(instances, strategy=wrong))
        assert fault.startswith("'strategy' in settings must be a strategy's name or an object with a select method")
