"""What a result becomes: a line in the shape of its request."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from flyllm._batch.snapshot import BatchProgress
from flyllm.cli.batch.json_output import write_own
from flyllm.cli.batch.openai_output import write_openai
from flyllm.cli.batch.output import Output
from flyllm.cli.batch.row import Defaults, Row
from flyllm.cli.batch.table import Table
from flyllm.cli.batch.tally import Tally
from flyllm.cli.exit_codes import ALL, NOTHING, PARTIAL
from flyllm.errors import BatchStoppedError, LLMError, RateLimitError
from flyllm.types import Attempt, LLMResponse, TokenUsage, ToolCall

ROW = Row(3, write_own)
ATTEMPT = Attempt(1, 0, "main", "openai", "m", started=1000.0, waited=0.0, duration=2.5, outcome="success")
ANSWER = LLMResponse(
    "grün\u2028",
    usage=TokenUsage(3, 4, 7, cached_tokens=1, reasoning_tokens=2),
    model="m",
    provider="openai",
    instance_name="main",
    finish_reason="stop",
    attempts=(ATTEMPT,),
    duration=2.50049,
    index=5,
    custom_id="a",
    cost=0.25,
)
CALLS = LLMResponse(tool_calls=(ToolCall("id", "f", '{"x": 1}'),), finish_reason="tool_calls", model="m", index=0)
FAILED = LLMResponse(error=RateLimitError("slow\ndown", status_code=429, instance="main", attempts=(ATTEMPT,)), index=6)


def test_every_line_of_our_shape_has_the_same_keys() -> None:
    lines = [write_own(ROW, response) for response in (ANSWER, CALLS, FAILED)]
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    answer, calls, failed = map(json.loads, lines)
    assert list(answer) == list(calls) == list(failed)
    assert (answer["content"], answer["line"], answer["attempts"], answer["duration"]) == ("grün\u2028", 3, 1, 2.5)
    assert calls["tool_calls"] == [{"id": "id", "name": "f", "arguments": '{"x": 1}', "extra_content": None}]
    assert (failed["success"], failed["content"], failed["attempts"]) == (False, None, 1)
    error = {"type": "RateLimitError", "message": "slow\ndown", "status_code": 429, "instance": "main"}
    assert failed["error"] == error


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls", "content_filter", "error", "other", None])
def test_an_answer_in_openai_s_shape_is_one_to_openai_s_sdk(reason: Any) -> None:
    for response in (ANSWER, CALLS):
        told = json.loads(write_openai(ROW, replace(response, finish_reason=reason)))
        completion = ChatCompletion.model_validate(told["response"]["body"], strict=True)
        message = completion.choices[0].message
        assert (message.content or "") == response.content
        assert len(message.tool_calls or ()) == len(response.tool_calls)
        assert completion.usage is not None
        assert completion.usage.total_tokens == (response.usage.total_tokens or 0)
    assert json.loads(write_openai(ROW, ANSWER))["response"]["body"]["created"] == 1002


def test_a_failure_in_openai_s_shape_is_an_error_with_code_and_message() -> None:
    told = json.loads(write_openai(ROW, FAILED))
    error = {"code": "RateLimitError", "message": "slow\ndown"}
    assert told == {"id": "batch_req_6", "custom_id": None, "response": None, "error": error}


def test_a_table_keeps_its_columns_and_bytes_and_gets_further_ones() -> None:
    text = io.TextIOWrapper(io.BytesIO(b'content,prompt\nb\xe9,"a, b"\nshort\n'), errors="surrogateescape", newline="")
    table = Table(text, "t.csv", None, None)
    rows = list(table.rows(Defaults().complete))
    written = table.head + b"".join(row.write(row, r) for row, r in zip(rows, (ANSWER, FAILED), strict=True))
    assert b"\nb\xe9," in written
    names, answer, failed = csv.reader(io.StringIO(written.decode(errors="replace"), newline=""))
    assert names[:5] == ["content", "prompt", "flyllm_content", "error", "finish_reason"]
    assert len(names) == len(answer) == len(failed) == 13
    assert dict(zip(names, answer, strict=True)) == {
        "content": "b\ufffd",
        "prompt": "a, b",
        "flyllm_content": "grün\u2028",
        "error": "",
        "finish_reason": "stop",
        "model": "m",
        "provider": "openai",
        "instance": "main",
        "prompt_tokens": "3",
        "completion_tokens": "4",
        "cost": "0.25",
        "attempts": "1",
        "duration": "2.5",
    }
    assert failed[:4] == ["short", "", "", "RateLimitError: slow\ndown"]


def test_what_a_file_held_is_there_until_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before\n")
    with Output(str(path), b"head\n"):
        pass
    assert path.read_bytes() == b"before\n"
    with Output(str(path), b"head\n") as output:
        output.write(b"one\n")
        assert path.read_bytes() == b"head\none\n"
        output.write(b"two\n")
        output.begin()
    assert path.read_bytes() == b"head\none\ntwo\n"


def test_a_tally_tells_how_it_went_in_words_and_as_an_exit_code() -> None:
    tally = Tally()
    assert tally.code == ALL
    tally.count(ROW, ANSWER)
    assert tally.code == ALL
    progress = BatchProgress(done=1, recalled=1, tokens=12_345, cost=0.25, elapsed=61.0)
    assert list(tally.lines(progress, "p")) == ["1 answered (1 recalled), 0 failed, 12k tokens, cost 0.25, in 1m 1s"]
    for _ in range(5):
        tally.count(ROW, FAILED)
    assert tally.code == PARTIAL
    told = list(tally.lines(progress, "p"))
    assert told[1:] == ["p, line 3: RateLimitError: slow down"] * 3 + ["and 2 more; each failure is in its result"]


def test_a_batch_that_was_stopped_is_never_whole() -> None:
    tally = Tally()
    tally.stopped = BatchStoppedError("enough")
    assert tally.code == NOTHING
    tally.count(ROW, ANSWER)
    assert tally.code == PARTIAL
    assert list(tally.lines(BatchProgress(done=1), "p"))[-1] == "enough"


def test_an_output_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(LLMError, match=r"cannot be written: .+"):
        Output(str(tmp_path), b"")
