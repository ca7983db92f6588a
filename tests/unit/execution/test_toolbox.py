"""Rules of calling functions for a model: whatever happens, it is told, and nothing breaks."""

import json
import logging
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from flyllm import ConfigError, Tool, ToolCall
from flyllm._execution.toolbox import MOST, Toolbox
from flyllm._secret import Secret

KEY = "pa55-0123456789-abcdefgh"


def toolbox(*functions: Any) -> Toolbox:
    return Toolbox([Tool(function) for function in functions], [Secret(KEY)])


def answer(function: Any, arguments: str = "{}") -> Any:
    message = toolbox(function).answer(ToolCall("c1", Tool(function).name, arguments))
    assert (message["role"], message["tool_call_id"]) == ("tool", "c1")
    return message["content"]


@dataclass
class Point:
    day: date


class Mute(Exception):  # noqa: N818 - its name does not matter
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        ("", ""),
        (None, "null"),
        (3, "3"),
        (True, "true"),
        (["ü", 1.5], '["ü", 1.5]'),
        ({"a": date(2026, 1, 2)}, '{"a": "2026-01-02"}'),
        (Point(date(2026, 1, 2)), '{"day": "2026-01-02"}'),
        ({date(2026, 1, 2): {1}}, '{"2026-01-02": [1]}'),
        (Secret("x"), '"***"'),
        ("\udcff.txt", "?.txt"),
    ],
)
def test_what_a_function_returns_is_text_or_json(value: Any, text: str) -> None:
    """Text as it is, all else as JSON; what has no JSON form as its text."""

    def f() -> Any:
        return value

    assert answer(f) == text


def test_a_value_that_holds_itself_is_an_error() -> None:
    """There is no JSON of it."""

    def f() -> Any:
        ring: list[Any] = []
        ring.append(ring)
        return ring

    assert answer(f).startswith("Error: ValueError: Circular reference")


def test_an_exception_is_told_by_class_and_message(caplog: pytest.LogCaptureFixture) -> None:
    """Keys masked, nothing of where it happened, not without end; the log names the function."""

    def f() -> None:
        raise LookupError(f"no {KEY} in {'x' * 5000}")

    with caplog.at_level(logging.WARNING, logger="flyllm.tools"):
        told = answer(f)
    assert told.startswith("Error: LookupError: no *** in xxx")
    assert len(told) <= MOST + len("Error: ")
    assert caplog.messages == ["the function f raised LookupError"]


def test_an_exception_without_words_is_told_by_its_class() -> None:
    """`__str__` may fail as well."""

    def f() -> None:
        raise Mute

    assert answer(f) == "Error: Mute: "


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_goes_through(kind: type[BaseException]) -> None:
    """Ctrl-C ends the run."""

    def f() -> None:
        raise kind

    with pytest.raises(kind):
        answer(f)


def test_an_unknown_function_is_told_with_those_that_there_are() -> None:
    """So that the model finds the right one."""

    def f() -> None: ...

    message = toolbox(f).answer(ToolCall("c1", "g\ud800", "{}"))
    assert message["content"] == "Error: there is no function 'g\\ud800'; there are: f"
    json.dumps(message).encode()


def test_a_run_needs_functions() -> None:
    """A description alone cannot be called; a provider's own tool needs not be."""

    def f() -> None: ...

    described = {"type": "function", "function": {"name": "g"}}
    with pytest.raises(ConfigError, match=r"tools\[1\] is a description without a function"):
        Toolbox([Tool(f), described], [])
    with pytest.raises(ConfigError, match="run_tools needs functions to call"):
        Toolbox([{"type": "web_search"}], [])
    Toolbox([Tool(f), {"type": "web_search"}], [])
