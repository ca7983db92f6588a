"""Rules of the check that every request passes first."""

import math
from contextlib import suppress
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyllm._execution.request_check import ROLES, check_request, seconds_faults
from flyllm.errors import ConfigError
from flyllm.request import GenerationRequest


class Hostile:
    """An object that answers nothing without raising, as arrays and mocks do in their ways."""

    def __bool__(self) -> bool:
        raise ValueError("the truth value is ambiguous")

    def __eq__(self, other: object) -> bool:
        raise ValueError("no comparison")

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        raise ValueError("no length")


GOOD: list[dict[str, Any]] = [
    {"prompt": "x"},
    {"prompt": "naïve ☃ \x00"},
    {"messages": [{"role": role, "content": "x"} for role in ROLES]},
    {"messages": ({"role": "user", "content": [{"type": "text", "text": "x"}]},)},
    {"messages": [{"role": "assistant", "content": None, "tool_calls": []}]},
    {"prompt": "x", "params": {}, "provider_params": {"OLLAMA": {"num_ctx": 1}, "openai": {}}},
    {"prompt": "x", "timeout": 1, "tools": [], "tool_choice": {"type": "function"}, "metadata": {"a": object()}},
    {"prompt": "x", "timeout": math.inf},
    {"prompt": "x", "timeout": 0.001, "task": "", "system": ""},
]


@pytest.mark.parametrize("values", GOOD)
def test_a_sound_request_passes(values: dict[str, Any]) -> None:
    """Nothing is asked of a request that it does not need."""
    check_request(GenerationRequest(**values))


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "the request is empty: give a prompt or messages"),
    ({"messages": []}, "the request is empty"),
    ({"system": "only"}, "the request is empty"),
    ({"prompt": None}, "prompt must be text, not NoneType"),
    ({"prompt": b"x"}, "prompt must be text, not bytes"),
    ({"prompt": "\ud800"}, "prompt holds a lone surrogate"),
    ({"prompt": Hostile()}, "prompt must be text, not Hostile"),
    ({"prompt": "x", "system": 1}, "system must be text, not int"),
    ({"prompt": "x", "task": ["t"]}, "task must be text, not list"),
    ({"messages": "Hi"}, "messages must be a list of dicts, not str"),
    ({"messages": {"role": "user"}}, "messages must be a list of dicts, not dict"),
    ({"messages": Hostile()}, "messages must be a list of dicts, not Hostile"),
    ({"messages": ["Hi"]}, r"messages\[0\] must be a dict with role and content, not str"),
    ({"messages": [{"content": "x"}]}, r"messages\[0\] needs a role. Valid roles: system, developer, user"),
    ({"messages": [{"role": Hostile(), "content": "x"}]}, r"messages\[0\] needs a role"),
    ({"messages": [{"role": Hostile()}]}, r"messages\[0\].content must be text or a list of parts, not NoneType"),
    ({"messages": [{"role": "bot", "content": "x"}]}, r"messages\[0\] has role 'bot'. Valid roles:"),
    ({"messages": [{"role": "user"}]}, r"messages\[0\].content must be text or a list of parts, not NoneType"),
    ({"messages": [{"role": "user", "content": 5}]}, r"messages\[0\].content must be text or a list of parts, not int"),
    ({"messages": [{"role": "user", "content": "\udfff"}]}, r"messages\[0\].content holds a lone surrogate"),
    ({"prompt": "x", "params": [1]}, "params must be a dict, not list"),
    ({"prompt": "x", "params": {1: 2}}, "params must have names as keys, not int"),
    ({"prompt": "x", "provider_params": {"ollama": 5}}, r"provider_params\['ollama'\] must be a dict, not int"),
    ({"prompt": "x", "provider_params": {"ollama": None}}, r"provider_params\['ollama'\] must be a dict, not NoneType"),
    (
        {"prompt": "x", "provider_params": {"olama": {}}},
        "provider_params names no provider: 'olama'. Valid names: open",
    ),
    ({"prompt": "x", "provider_params": {"ollama": {1: 1}}}, "must have names as keys"),
    ({"prompt": "x", "tools": {"a": 1}}, "tools must be a list of functions or dicts, not dict"),
    ({"prompt": "x", "tools": [print, "f"]}, r"tools\[1\] must be a function or a dict, not str"),
    ({"prompt": "x", "tool_choice": 1}, "tool_choice must be text or a dict, not int"),
    ({"prompt": "x", "fail_on": "empty"}, "fail_on must be a set of words, not str"),
    ({"prompt": "x", "fail_on": 3}, "fail_on must be a set of words, not int"),
    ({"prompt": "x", "fail_on": ["short"]}, "fail_on must be one of 'empty', 'length', 'content_filter', 'invalid'"),
    ({"prompt": "x", "fail_on": [Hostile()]}, "fail_on must be one of 'empty'"),
    ({"prompt": "x", "retry_invalid": -1}, "retry_invalid must be a whole number of at least 0, not -1"),
    ({"prompt": "x", "retry_invalid": True}, "retry_invalid must be a whole number"),
    ({"prompt": "x", "retry_invalid": 1}, "retry_invalid needs a response_format"),
    ({"prompt": "x", "metadata": 5}, "metadata must be a dict, not int"),
    ({"prompt": "x", "timeout": "5"}, "timeout must be a number of seconds, not str"),
    ({"prompt": "x", "timeout": True}, "timeout must be a number of seconds, not bool"),
    *(
        ({"prompt": "x", "timeout": value}, "timeout must be a number of seconds above 0")
        for value in (0, -1, math.nan, -math.inf, 10**400, -(10**5000), 1e300)
    ),
]


@pytest.mark.parametrize(("values", "fault"), BAD, ids=range(len(BAD)))
def test_a_fault_is_named(values: dict[str, Any], fault: str) -> None:
    """Each kind of wrong input has a message that says what to give instead."""
    with pytest.raises(ConfigError, match=fault):
        check_request(GenerationRequest(**values))


def test_all_faults_are_named_at_once() -> None:
    """One error lists everything, so that nobody corrects a request fault by fault."""
    request: Any = GenerationRequest(5, task=6, params=7, messages=8, timeout=-1)  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as caught:
        check_request(request)
    assert len(caught.value.faults) == 5
    assert str(caught.value).startswith("The request is not valid (5 faults):\n1. prompt")


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), math.nan, math.inf])
    | st.floats()
    | st.text(st.characters(), max_size=5)
    | st.sampled_from(["\ud800", "user", "role", "content", "openai"])
    | st.binary(max_size=3)
    | st.builds(Hostile)
    | st.builds(object),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.sampled_from(["role", "content", "openai", 1, None, "\ud800"]), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = [field.name for field in fields(GenerationRequest)]


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=4))
def test_any_values_pass_or_are_a_config_error(values: dict[str, Any]) -> None:
    """Whatever is put into a request, the check never raises anything else."""
    with suppress(ConfigError):
        check_request(GenerationRequest(**values))


def test_a_name_is_used_for_the_length_of_time() -> None:
    """The check of seconds serves other places, under their names."""
    assert list(seconds_faults("deadline", None)) == []
    assert list(seconds_faults("deadline", 0)) == ["deadline must be a number of seconds above 0 and below 9223372036"]
