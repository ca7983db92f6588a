"""Parameters keep their values, get the provider's names, and are never lost without a word."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm.providers.params import as_list, unsupported, wire_params
from flyllm.providers.registry import REGISTRY
from flyllm.request import COMMON_PARAMS

ROWS = [api for spec in REGISTRY.values() for api in spec.apis]


@pytest.mark.parametrize("value", [0, 0.0, False, "", []])
def test_falsy_values_are_sent(value: Any) -> None:
    """Only None means not set."""
    assert wire_params({"seed": value, "own": value}, {"seed": "random_seed"}) == {"random_seed": value, "own": value}


def test_none_is_neither_sent_nor_reported() -> None:
    """A parameter of None is one that was not given."""
    assert wire_params({"seed": None, "own": None}, {}) == {}
    assert unsupported({"seed": None}, {}) == ()


@given(
    row=st.sampled_from(ROWS),
    params=st.dictionaries(
        st.sampled_from([*COMMON_PARAMS, "own", "max_output"]), st.none() | st.integers(), max_size=6
    ),
)
def test_each_parameter_is_sent_or_reported(row: Any, params: dict[str, Any]) -> None:
    """Common ones by the row's names, others untouched, the rest named."""
    sent, dropped = wire_params(params, row.params), unsupported(params, row.params)
    given_ones = {name: value for name, value in params.items() if value is not None}
    assert len(sent) + len(dropped) == len(given_ones)
    assert all(sent[row.params.get(name, name)] == value for name, value in given_ones.items() if name not in dropped)
    assert set(dropped) <= set(COMMON_PARAMS)


def test_a_single_word_becomes_a_list() -> None:
    """Some providers want `stop` as one."""
    assert [as_list(value) for value in ("a", ["a", "b"], ("a",))] == [["a"], ["a", "b"], ["a"]]
