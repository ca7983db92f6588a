"""Rules of task definitions."""

import copy
import pickle

import pytest

from flyllm import TaskDefinition


def test_every_with_method_returns_a_new_definition() -> None:
    """A definition never changes; `with_` methods leave the one they are called on alone."""
    base = TaskDefinition("summary", {"top_p": 0.9})
    changed = base.with_max_tokens(5).with_temperature(0.1).with_param("x", 1).with_params(y=2).with_timeout(3.0)
    assert base == TaskDefinition("summary", {"top_p": 0.9})
    assert dict(changed.params) == {"top_p": 0.9, "max_tokens": 5, "temperature": 0.1, "x": 1, "y": 2}
    assert changed.timeout == 3.0


def test_params_are_a_copy_that_cannot_be_changed() -> None:
    """Neither the dict given nor the attribute is a way to change a definition."""
    given = {"a": 1}
    task = TaskDefinition("t", given)
    given["a"] = 2
    assert task.params["a"] == 1
    with pytest.raises(TypeError):
        task.params["a"] = 3  # type: ignore[index]
    with pytest.raises(AttributeError):
        task.name = "u"  # type: ignore[misc]


def test_definitions_survive_pickle_and_deepcopy() -> None:
    """A definition can go to another process."""
    task = TaskDefinition("t", {"stop": ["a"]}, timeout=2.0).with_provider_params("openai", user="u")
    assert pickle.loads(pickle.dumps(task)) == task
    assert copy.deepcopy(task) == task


def test_a_later_value_replaces_an_earlier_one() -> None:
    """Setting a parameter again overrides it."""
    assert TaskDefinition("t").with_max_tokens(1).with_max_tokens(2).params["max_tokens"] == 2


def test_parameters_for_a_provider_are_added_up() -> None:
    """Each call adds; the tables cannot be changed."""
    task = TaskDefinition("t").with_provider_params("openai", user="u").with_provider_params("openai", provider="p")
    task = task.with_provider_params("groq", x=1)
    assert task.provider_params == {"openai": {"user": "u", "provider": "p"}, "groq": {"x": 1}}
    with pytest.raises(TypeError):
        task.provider_params["openai"]["user"] = "v"  # type: ignore[index]
