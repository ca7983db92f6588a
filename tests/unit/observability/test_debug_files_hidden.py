"""Debug files without prompts: how long texts were, and none of them."""

from pathlib import Path
from typing import Any

import pytest

from flyllm.errors import InvalidRequestError, LLMError
from flyllm.observability.debug_files import DebugFiles
from flyllm.observability.lenient_json import encoder
from flyllm.request import GenerationRequest
from tests.unit.observability.test_debug_files import event, read

CANARY = "canary-7f3a"


def hidden(folder: Path, **fields: Any) -> tuple[dict[str, Any], str]:
    """Write an attempt without prompts; return its entry and the whole file."""
    DebugFiles(str(folder), prompts=False).on_attempt(event(fields.pop("content", ""), **fields))
    (entry,) = read(folder)
    (file,) = folder.rglob("debug.json")
    return entry, file.read_text()


def test_of_texts_only_their_lengths_are_told(tmp_path: Path) -> None:
    """Numbers and switches among the parameters stay, and so does who said what."""
    request = GenerationRequest(
        "12345",
        system="123",
        messages=[{"role": "user", "content": "1234"}, {"role": "me", "content": [{"type": "text", "text": "x"}]}],
        metadata={"job": 7},
        task="chat",
    )
    params = {"temperature": 0.5, "seed": None, "stream": True, "user": "anna", "stop": ["a"], "logit_bias": {"9": 1}}
    entry, _ = hidden(tmp_path, request=request, params=params, content="answer")
    assert entry["input"] == {
        "prompt": "[5 characters]",
        "system": "[3 characters]",
        "messages": [
            {"role": "user", "content": "[4 characters]"},
            {"role": "[2 characters]", "content": "[28 characters]"},
        ],
        "task": "chat",
        "parameters": {
            "temperature": 0.5,
            "seed": None,
            "stream": True,
            "user": "[4 characters]",
            "stop": "[5 characters]",
            "logit_bias": "[7 characters]",
        },
        "metadata": "[9 characters]",
    }
    assert entry["output"]["content"] == "[6 characters]"


def test_what_is_not_there_stays_so(tmp_path: Path) -> None:
    """No text is not a text without characters."""
    entry, _ = hidden(tmp_path, request=GenerationRequest("Hi"))
    assert (entry["input"]["system"], entry["input"]["messages"], entry["input"]["metadata"]) == (None, None, None)
    assert "error" not in entry["output"]


@pytest.mark.parametrize(
    "fields",
    [
        {"content": CANARY},
        {"request": GenerationRequest(CANARY)},
        {"request": GenerationRequest("x", system=CANARY)},
        {"request": GenerationRequest("x", metadata={"k": CANARY})},
        {"request": GenerationRequest("x", metadata={CANARY: 1})},
        {"request": GenerationRequest("x", metadata={"k": [{"deep": CANARY}]})},
        {"request": GenerationRequest(messages=[{"role": "user", "content": CANARY}])},
        {"request": GenerationRequest(messages=[{"role": CANARY, "content": "x"}])},
        {"request": GenerationRequest(messages=[{"role": "user", CANARY: "x"}])},
        {"request": GenerationRequest(messages=[{"role": "user", "name": CANARY, "content": "x"}])},
        {"request": GenerationRequest(messages=[{"role": "user", "content": [{"type": "text", "text": CANARY}]}])},
        {"request": GenerationRequest("x", custom_id=CANARY, tools=[{"function": {"name": CANARY}}])},
        {"params": {"user": CANARY}},
        {"params": {"stop": [CANARY]}},
        {"params": {"metadata": {CANARY: CANARY}}},
        {"params": {"extra": object}},
        {"failed": InvalidRequestError(f"invalid prompt: {CANARY}", code=CANARY), "error": f"bad: {CANARY}"},
    ],
)
def test_no_text_is_in_the_file(fields: Any, tmp_path: Path) -> None:
    """Wherever it was, and where a provider's refusal quotes it."""
    if "failed" in fields:
        fields = {**fields, "outcome": "InvalidRequestError"}
    _, text = hidden(tmp_path, **fields)
    assert CANARY not in text


def test_an_error_is_told_by_its_class_and_status(tmp_path: Path) -> None:
    """Enough to see what went wrong."""
    failed = InvalidRequestError(CANARY, status_code=400)
    entry, _ = hidden(tmp_path, failed=failed, outcome="InvalidRequestError", status_code=400)
    assert (entry["metadata"]["outcome"], entry["metadata"]["status_code"]) == ("InvalidRequestError", 400)
    assert entry["output"]["error"] == f"[{len(CANARY)} characters]"


def test_an_empty_error_is_one_all_the_same(tmp_path: Path) -> None:
    """Its length is nought."""
    entry, _ = hidden(tmp_path, failed=LLMError(""), outcome="LLMError")
    assert (entry["output"]["success"], entry["output"]["error"]) == (False, "[0 characters]")


class Broken:
    def __str__(self) -> str:
        raise ValueError("no text")


ENDLESS: list[Any] = [1]
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, "b", None, True]}, '{"a": [1, "b", null, true]}'),
        ({"a": float("nan"), "b": float("-inf"), "c": 1.5}, '{"a": "nan", "b": "-inf", "c": 1.5}'),
        ({"a": Broken()}, '{"a": "[Broken]"}'),
        ({"a": (1, float("inf"))}, '{"a": [1, "inf"]}'),
        ({float("nan"): 1}, '{"nan": 1}'),
        (ENDLESS, '[1, [1, [1, [1, [1, [1, "[list]"]]]]]]'),
        ([10**5000], '"[list]"'),
    ],
)
def test_what_is_no_json_is_written_as_text(value: Any, text: str) -> None:
    """An entry is never lost over a value, and every reader of JSON can read it."""
    assert encoder()(value) == text
