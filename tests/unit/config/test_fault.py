"""Where a fault says that it is."""

import pickle

import pytest

from flyllm.config.fault import Fault, Place, located
from flyllm.config.toml_file import config_from_dict, config_from_file, config_from_toml
from flyllm.errors import ConfigError

KEY = Place(("providers", 0, "api_key"))

TEXT = """
[settings]
strategy = "lru"
colour = 1

[[tasks]]
name = "chat"
[tasks.provider_params.antropic]
top_k = 40
[[tasks]]
name = "chat"
[[tasks]]
name = "idle"

[[providers]]
type = "openai"
model = "gpt-4"
api_key = "${NO_KEY}"
endpoint = "ftp://h"
tasks = [
    "chat",
    "summary",
]
[providers.headers]
"X A" = "1"

[[providers]]
type = "groq"
rpm = 0
"""


def test_a_place_reads_as_it_is_written() -> None:
    assert f"{KEY}" == "providers[0].api_key"
    assert str(Place()) == "the configuration"
    assert str(Place(("tasks", 1, "provider_params")) / "open ai" / "a.b") == 'tasks[1].provider_params."open ai"."a.b"'
    assert "\n" not in str(Place() / "a\nb")


def test_the_line_comes_after_what_is_wrong_and_before_what_to_do() -> None:
    fault = Fault("Empty key\n  → Set it", KEY)
    assert located(fault, "a.toml", {KEY: 14}) == "Empty key\n  → In a.toml, line 14: providers[0].api_key\n  → Set it"
    assert located(fault, "", {KEY: 14}) == "Empty key\n  → In line 14: providers[0].api_key\n  → Set it"


def test_a_place_that_is_named_already_gets_its_line_there() -> None:
    assert located(Fault(f"No URL\n  → In {KEY}", KEY), "a.toml", {KEY: 2}) == (
        "No URL\n  → In a.toml, line 2: providers[0].api_key"
    )


def test_what_is_not_there_has_the_line_of_what_it_is_missing_in() -> None:
    lines = {("providers",): 3, ("providers", 0): 4}
    assert "line 4: providers[0].api_key" in located(Fault("Empty key", KEY), "", lines)
    assert located(Fault("Nothing", Place()), "", lines) == "Nothing"
    assert located("Nothing", "", lines) == "Nothing"


def test_every_fault_of_a_file_has_its_line(tmp_path) -> None:
    path = tmp_path / "flyllm.toml"
    path.write_text(TEXT)
    with pytest.raises(ConfigError) as caught:
        config_from_file(path, {})
    found = [fault.replace(f"{path}", "flyllm.toml").split("\n") for fault in caught.value.faults]
    assert [(fault[0].partition(":")[0], fault[1]) for fault in found] == [
        ("Environment variable 'NO_KEY' not found", "  → Referenced in flyllm.toml, line 18: providers[0].api_key"),
        ("Unknown key 'colour' in settings", "  → In flyllm.toml, line 4: settings.colour"),
        (
            "Unknown provider 'antropic' in tasks[0].provider_params",
            "  → In flyllm.toml, line 8: tasks[0].provider_params.antropic",
        ),
        ("Duplicate task name 'chat' in tasks[1]", "  → In flyllm.toml, line 11: tasks[1].name"),
        ("Endpoint 'ftp", "  → In flyllm.toml, line 19: providers[0].endpoint"),
        (
            "Header name 'X A' in providers[0].headers is not allowed in HTTP",
            '  → In flyllm.toml, line 25: providers[0].headers."X A"',
        ),
        ("Missing key 'model' in providers[1]", "  → In flyllm.toml, line 27: providers[1]"),
        (
            "'rpm' in providers[1] must be a whole number from 1 to 1000000000000, found 0",
            "  → In flyllm.toml, line 29: providers[1].rpm",
        ),
        ("Empty api_key for provider 'groq' in providers[1]", "  → In flyllm.toml, line 27: providers[1].api_key"),
        (
            "Task 'summary' referenced by provider 'openai/gpt-4' is not defined",
            "  → In flyllm.toml, line 22: providers[0].tasks[1]",
        ),
        ("Task 'idle' is served by no provider", "  → In flyllm.toml, line 13: tasks[2].name"),
    ]


def test_faults_are_ordinary_strings_and_pickle() -> None:
    with pytest.raises(ConfigError) as caught:
        config_from_toml(TEXT, environ={})
    assert {type(fault) for fault in caught.value.faults} == {str}
    assert pickle.loads(pickle.dumps(caught.value)).faults == caught.value.faults


def test_a_dict_has_no_lines() -> None:
    with pytest.raises(ConfigError) as caught:
        config_from_dict({"providers": [{"type": "openai", "model": "m"}]})
    assert "line" not in str(caught.value)


def test_a_key_in_the_place_of_another_is_not_shown_by_its_place() -> None:
    key = "0123456789abcdefghij"
    with pytest.raises(ConfigError) as caught:
        config_from_toml(
            f'[[providers]]\ntype = "openai"\nmodel = "m"\napi_key = "{key}"\nheaders = {{"{key} " = "a"}}'
        )
    assert key not in str(caught.value)
