"""Responses in a journal: what comes back, what does not, and what `jq` finds."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyllm import LLMResponse, RateLimitError, RequestError, StreamInterruptedError, TokenUsage, ToolCall
from flyllm._batch.response_json import json_line, response_from_json, response_to_json
from flyllm.errors import ConfigError, LLMError
from flyllm.types import Attempt

# Two surrogates that make a pair are one character to JSON, so at most the first half of one is drawn.
TEXT = st.text(st.characters(exclude_categories=[]).filter(lambda c: not "\udc00" <= c <= "\udfff"))
NAME = st.none() | TEXT
COUNT = st.none() | st.integers(0, 10**12)
SECONDS = st.floats(0, 1e9)
USAGES = st.builds(
    TokenUsage,
    prompt_tokens=COUNT,
    completion_tokens=COUNT,
    total_tokens=COUNT,
    cached_tokens=COUNT,
    reasoning_tokens=COUNT,
    estimated=st.frozensets(st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens"])),
)
ATTEMPTS = st.builds(
    Attempt,
    number=st.integers(1, 9),
    instance_id=st.integers(0, 99),
    instance_name=TEXT,
    provider=TEXT,
    model=TEXT,
    started=SECONDS,
    waited=SECONDS,
    duration=SECONDS,
    outcome=TEXT,
    error=NAME,
    status_code=COUNT,
    retry_after=st.none() | SECONDS,
    request_id=NAME,
    usage=USAGES,
    chosen_because=TEXT,
    first_content=st.none() | SECONDS,
    cost=st.none() | SECONDS,
)
EXTRA = st.none() | st.dictionaries(TEXT, st.dictionaries(TEXT, TEXT, max_size=2), max_size=2)
PARTS = {
    "content": TEXT,
    "usage": USAGES,
    "model": NAME,
    "provider": NAME,
    "instance_id": COUNT,
    "instance_name": NAME,
    "task": NAME,
    "finish_reason": st.sampled_from([None, "stop", "length", "tool_calls"]),
    "tool_calls": st.lists(st.builds(ToolCall, TEXT, TEXT, TEXT, EXTRA), max_size=3).map(tuple),
    "reasoning": NAME,
    "attempts": st.lists(ATTEMPTS, max_size=3).map(tuple),
    "duration": SECONDS,
    "request_id": NAME,
    "dropped_params": st.lists(TEXT, max_size=3).map(tuple),
    "schema_changes": st.lists(TEXT, max_size=3).map(tuple),
    "index": COUNT,
    "custom_id": NAME,
    "cost": st.none() | SECONDS,
    "id": TEXT,
    "extra_content": EXTRA,
}
RESPONSES = st.builds(LLMResponse, **PARTS)


def through_a_line(response: LLMResponse) -> LLMResponse:
    line = json_line(response_to_json(response))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    return response_from_json(json.loads(line))


@given(RESPONSES)
def test_a_success_comes_back_as_it_was(response: LLMResponse) -> None:
    """Every field of it, with lone surrogates and line ends."""
    assert through_a_line(response) == response


def test_every_field_is_written_but_three() -> None:
    """A new field of a response is not forgotten."""
    assert {field.name for field in fields(LLMResponse)} == set(PARTS) | {"raw", "parsed", "error"}


def test_what_may_be_anything_is_left_out() -> None:
    """`raw` and `parsed` hold objects of other people's classes."""
    told = response_to_json(LLMResponse("x", raw={"a": 1}, parsed=object()))
    assert told == {"success": True, "content": "x"}
    assert through_a_line(LLMResponse("x", raw={"a": 1}, parsed=2)) == LLMResponse("x")


def test_an_error_is_told_with_its_facts() -> None:
    """Enough to find with `jq` what failed and why."""
    error = RateLimitError("slow down", provider="groq", status_code=429, retry_after=3.0, code="tpm", instance="g")
    told = json.loads(json_line(response_to_json(LLMResponse(error=error, provider="groq"))))
    assert told["success"] is False
    assert told["error"] == {
        "type": "RateLimitError",
        "message": "slow down",
        "provider": "groq",
        "instance": "g",
        "status_code": 429,
        "code": "tpm",
        "retry_after": 3.0,
    }


@pytest.mark.parametrize(
    ("error", "fact"),
    [
        (RequestError("cut", sent=False, local=True), {"sent": False, "local": True, "stale": False}),
        (StreamInterruptedError("cut", partial="Hel", cause=LLMError("x")), {"partial": "Hel"}),
        (ConfigError.from_faults(["a", "b"]), {"faults": ["a", "b"]}),
    ],
    ids=["transport", "stream", "configuration"],
)
def test_an_error_of_a_class_of_its_own_tells_its_own_facts(error: LLMError, fact: dict[str, object]) -> None:
    """And no object."""
    told = json.loads(json_line(response_to_json(LLMResponse(error=error))))["error"]
    assert told == {"type": type(error).__name__, "message": str(error), **fact}


def test_text_is_readable_in_the_file() -> None:
    """Only what has no encoding is escaped."""
    assert "日本".encode() in json_line({"content": "日本"})
    assert json_line({"content": "\ud800"}) == b'{"content": "\\ud800"}\n'


def test_fields_of_a_later_version_are_ignored() -> None:
    """In a response and in what it holds."""
    usage = TokenUsage(1, 2, 3)
    response = LLMResponse("x", usage=usage, tool_calls=(ToolCall("a", "b", "{}"),))
    told = json.loads(json_line(response_to_json(response)))
    told["new"] = told["usage"]["new"] = told["tool_calls"][0]["new"] = 1
    assert response_from_json(told) == response


def test_what_is_no_response_is_refused() -> None:
    """With one of three errors."""
    for told in ({"usage": 3}, {"attempts": [1]}, {"attempts": [{"number": 1}]}, {"tool_calls": 5}):
        with pytest.raises((TypeError, ValueError, AttributeError)):
            response_from_json(told)


def test_what_json_has_no_form_for_is_written_as_text() -> None:
    """A provider's oddity does not stop a batch."""
    odd = replace(LLMResponse("x"), model=b"m")  # type: ignore[arg-type]
    assert through_a_line(odd).model == "b'm'"
