"""Rules of reading docstrings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm.tools.docstring import read_docstring

GOOGLE = """Tell the weather
of a city.

    Not now, but later.

    Args:
        city (str): where it is,
            in any language
        unit, digits: how to tell it
        *rest: whatever
        when (tuple[int, (int)], optional): the day: today, if none

    Returns:
        text: the weather
    """
REST = """Tell the weather.

    :param city: where it is,
        in any language
    :param str unit: how to tell it
    :param dict[str, int] digits: how many
    :raises ValueError: never
    :returns: text
    """


def test_google_s_style() -> None:
    """Types, several names at once, lines that go on; what other sections say is of no parameter."""
    read = read_docstring(GOOGLE)
    assert read.summary == "Tell the weather of a city."
    assert read.parameters == {
        "city": "where it is, in any language",
        "unit": "how to tell it",
        "digits": "how to tell it",
        "rest": "whatever",
        "when": "the day: today, if none",
    }


def test_rest_s_style() -> None:
    """With and without types."""
    read = read_docstring(REST)
    assert read.summary == "Tell the weather."
    assert read.parameters == {
        "city": "where it is, in any language",
        "unit": "how to tell it",
        "digits": "how many",
    }


@pytest.mark.parametrize("text", [None, "", "   ", "Args:\n    x: a", ":param x: a"])
def test_what_is_not_there_is_empty(text: str | None) -> None:
    """No docstring, or one that begins with its parameters."""
    assert read_docstring(text).summary == ""


@pytest.mark.parametrize("head", ["Args:", "Arguments:", "Parameters:", "Keyword Args:", "args :"])
def test_heads_of_sections(head: str) -> None:
    """As people write them."""
    assert read_docstring(f"Do.\n\n{head}\n    x: a\n    y: b\nMore.\n    z: c").parameters == {"x": "a", "y": "b"}


@given(st.text(alphabet=" \n\t:()*ArgsparmxyzÜ,.", max_size=200))
def test_any_text_is_read(text: str) -> None:
    """Nobody's docstring stops a program."""
    read = read_docstring(text)
    assert "\n" not in read.summary
    assert all("\n" not in said for said in read.parameters.values())
