"""`cannot`: what a model cannot do although its provider's API can."""

import pytest

from flyllm import ConfigError, LLMManager
from flyllm.config.schema import json_schema
from flyllm.config.toml_file import config_from_dict, config_from_toml

OPENAI = {"type": "openai", "model": "m", "api_key": "k"}
VALID = "Valid words: tools, images, schemas, embeddings"


def faults(cannot: object) -> str:
    with pytest.raises(ConfigError) as caught:
        config_from_dict({"providers": [{**OPENAI, "cannot": cannot}]})
    return str(caught.value)


def test_words_are_taken_in_any_case_and_once() -> None:
    text = '[[providers]]\ntype = "openai"\nmodel = "m"\napi_key = "k"\ncannot = ["images", " Tools ", "tools"]'
    assert config_from_toml(text).instances[0].cannot == ("images", "tools")
    assert config_from_dict({"providers": [OPENAI]}).instances[0].cannot == ()


def test_a_word_may_come_from_a_variable() -> None:
    config = config_from_dict({"providers": [{**OPENAI, "cannot": ["${LACK}"]}]}, {"LACK": "schemas"})
    assert config.instances[0].cannot == ("schemas",)


def test_an_unknown_word_lists_the_valid_ones() -> None:
    text = faults(["image", "tools", "vision"])
    assert "Unknown word 'image' in providers[0].cannot: did you mean 'images'?" in text
    assert "Unknown word 'vision' in providers[0].cannot" in text
    assert VALID in text


@pytest.mark.parametrize("value", ["images", 1, True, [1], {"images": True}])
def test_anything_but_a_list_of_words_is_refused(value: object) -> None:
    assert "'cannot' in providers[0] must be a list of words among tools, images, schemas, embeddings" in faults(value)


def test_a_fault_in_a_file_has_its_line() -> None:
    text = '[[providers]]\ntype = "openai"\nmodel = "m"\napi_key = "k"\ncannot = [\n  "images",\n  "seeing",\n]'
    with pytest.raises(ConfigError, match=r"(?s)Unknown word 'seeing' in providers\[0\]\.cannot.*line [5-7]"):
        config_from_toml(text)


def test_the_builder_and_a_running_manager_take_it() -> None:
    with LLMManager.builder().add_instance("openai", "a", "k", cannot=("images",)).build() as manager:
        manager.add_instance("openai", "b", "k", cannot=["tools"])
        with pytest.raises(ConfigError, match=VALID):
            manager.add_instance("openai", "c", "k", cannot=["toools"])
        assert [each.model for each in manager.instances] == ["a", "b"]


def test_an_editor_offers_the_words() -> None:
    shown = json_schema()["properties"]["providers"]["items"]["properties"]["cannot"]
    assert shown["items"]["anyOf"][0] == {"enum": ["tools", "images", "schemas", "embeddings"]}
    assert "cannot do" in shown["description"]
