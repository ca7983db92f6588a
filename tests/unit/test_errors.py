"""Rules of the error tree."""

import copy
import pickle
import re
from typing import Any

import pytest

import flyllm
from flyllm import errors
from flyllm._resilience.classification import Exclusion, Verdict, classify
from flyllm.errors import ConfigError, LLMError, StreamInterruptedError
from flyllm.types import Attempt, TokenUsage


def tree(cls: type[LLMError] = LLMError) -> list[type[LLMError]]:
    return [cls, *(found for sub in cls.__subclasses__() if sub.__module__ == errors.__name__ for found in tree(sub))]


EVERY = pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
ATTEMPT = Attempt(1, 0, "i0", "openai", "m", 1.0, 0.0, 0.5, "ServerError", "HTTP 500", 500)
DETAILS: dict[str, Any] = {
    "provider": "openai",
    "model": "m",
    "instance": "i0",
    "status_code": 500,
    "code": "oops",
    "request_id": "r-1",
    "retry_after": 1.5,
    "attempts": (ATTEMPT,),
}
OWN: dict[str, dict[str, Any]] = {
    "RequestError": {"sent": False, "local": True},
    "StreamInterruptedError": {
        "partial": "Hel",
        "usage": TokenUsage(1, 2, 3),
        "cause": errors.ServerError("x", status_code=500),
    },
    "ConfigError": {"faults": ("a", "b")},
    "MissingDependencyError": {"faults": ("a",)},
    "APIError": {"should_retry": False},
}


@EVERY
@pytest.mark.parametrize("protocol", [0, pickle.HIGHEST_PROTOCOL])
def test_every_error_pickles_with_all_it_knows(kind: type[LLMError], protocol: int) -> None:
    """An error that crosses a process boundary keeps its class, its text and every attribute."""
    details = {**DETAILS, **OWN.get(kind.__name__, {})}
    error = kind("what happened", **details)
    error.add_note("a note")
    back = pickle.loads(pickle.dumps(error, protocol))
    assert type(back) is kind
    assert (str(back), back.args, back.__notes__) == ("what happened", ("what happened",), ["a note"])
    for name, value in details.items():
        found = getattr(back, name)
        assert str(found) == str(value) if isinstance(value, LLMError) else found == value, name


@EVERY
def test_a_copied_error_is_another_object_with_the_same_content(kind: type[LLMError]) -> None:
    """`copy` works on errors."""
    error = kind("x", **DETAILS)
    assert copy.copy(error) is not error
    assert vars(copy.copy(error)) == vars(error)


@EVERY
def test_every_error_is_public_and_classified(kind: type[LLMError]) -> None:
    """No class can be added without an answer to what the loop does about it."""
    assert getattr(flyllm, kind.__name__) is kind
    verdict = classify(kind("x"))
    assert isinstance(verdict, Verdict)
    assert isinstance(verdict.exclude, Exclusion)


@EVERY
def test_every_label_is_one_of_the_originals_words(kind: type[LLMError]) -> None:
    """Metric labels come from the closed set of FlyLLM's."""
    assert kind.label in {
        "request_error",
        "api_error",
        "rate_limit",
        "parse_error",
        "provider_disabled",
        "config_error",
    }


def test_the_drawn_tree_is_the_real_one() -> None:
    """The picture in the module's docstring shows every class under its base."""
    path: list[str] = []
    drawn: dict[str, str] = {}
    for line in str(errors.__doc__).splitlines():
        match = re.match(r"    ((?:│   |    )*(?:[├└]── )?)(\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 4
            path[depth:] = [match[2]]
            drawn[match[2]] = path[depth - 1] if depth else ""
    real = {kind.__name__: kind.__base__.__name__ if kind is not LLMError else "" for kind in tree()}  # type: ignore[union-attr]
    assert drawn == real


@EVERY
def test_what_an_error_does_not_know_is_none(kind: type[LLMError]) -> None:
    """Every error can be asked everything, without a check for the attribute."""
    error = kind("x")
    assert error.message == "x"
    assert error.attempts == ()
    for name in ("provider", "model", "instance", "status_code", "code", "request_id", "retry_after"):
        assert getattr(error, name) is None


def test_an_unknown_detail_is_a_type_error() -> None:
    """A misspelt attribute is not set silently."""
    with pytest.raises(TypeError, match="RateLimitError has no attribute 'retry_afer'"):
        errors.RateLimitError("x", retry_afer=1)


def test_location_is_filled_in_once() -> None:
    """The place nearest to the failure knows best: later ones do not overwrite it."""
    error = LLMError("x", provider="openai").located(provider="groq", model="m")
    assert (error.provider, error.model) == ("openai", "m")


def test_one_fault_stands_alone_and_several_are_numbered() -> None:
    """A configuration error names every fault, and keeps them one by one."""
    assert str(ConfigError.from_faults(["only"])) == "only"
    error = ConfigError.from_faults(["first", "second"], "Wrong")
    assert str(error) == "Wrong (2 faults):\n1. first\n2. second"
    assert error.faults == ("first", "second")


def test_an_interruption_keeps_its_cause_over_a_pickle() -> None:
    """The underlying error of a broken stream is there on the other side too, with its details."""
    error = StreamInterruptedError("x", partial="Hel", cause=errors.RateLimitError("slow", retry_after=2.0))
    back = pickle.loads(pickle.dumps(error))
    assert back.cause.retry_after == 2.0
    assert back.partial == "Hel"
