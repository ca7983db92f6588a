"""What a line of an input becomes: a request, or a fault that says what is wrong with it."""

import io
import json
from typing import Any

import pytest

from flyllm.cli.batch.json_input import json_rows, text_rows
from flyllm.cli.batch.openai_output import write_openai
from flyllm.cli.batch.row import Defaults, Row
from flyllm.cli.batch.table import Table
from flyllm.errors import ConfigError
from flyllm.request import GenerationRequest

finish = Defaults().complete


def only(line: Any) -> Row:
    """The row of one line of JSON."""
    text = line if isinstance(line, bytes) else json.dumps(line).encode()
    (row,) = json_rows([text], finish)
    return row


def openai(**changes: Any) -> dict[str, Any]:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
    return {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body} | changes


def table(text: str, column: str | None = None, id_column: str | None = None) -> list[Row]:
    return list(Table(io.StringIO(text, newline=""), "t.csv", column, id_column).rows(finish))


def test_text_is_a_prompt_and_an_object_has_the_fields_of_a_request() -> None:
    assert only("hi").request == GenerationRequest("hi")
    told = {"messages": [{"role": "user", "content": "hi"}], "system": "s", "task": "t", "hedge": True, "timeout": 3.5}
    assert only(told).request == GenerationRequest(**told)
    assert only({"prompt": "hi", "custom_id": "x"}).custom_id == "x"


FAULTS = [
    ({"promt": "x"}, "unknown key 'promt': did you mean 'prompt'?"),
    ({"prompt": "x", "max_tokens": 5}, "'max_tokens' is a parameter: it belongs into 'params'"),
    ({"prompt": "x", "zzz": 1, "yyy": 2}, "unknown key 'zzz'; unknown key 'yyy'"),
    ({"prompt": 5}, "prompt must be text, not int"),
    ({"prompt": "x", "custom_id": 5}, "custom_id must be text, not int"),
    ({}, "the request is empty: give a prompt or messages"),
    ([1], 'a line is a prompt as JSON text or an object such as {"prompt": "..."}, not a list'),
    (None, 'a line is a prompt as JSON text or an object such as {"prompt": "..."}, not None'),
    (b"{oops", "it is no JSON: Expecting property name enclosed in double quotes at column 2"),
    (b'"\xff"', "it is not UTF-8 text: byte 2 is 0xff"),
    (b"[" * 100_000, "it is JSON that cannot be read: a number too long, or nested too deeply"),
    (b"9" * 10_000, "it is JSON that cannot be read: a number too long, or nested too deeply"),
    (rb'"\ud800"', "prompt holds a lone surrogate, which has no encoding"),
    (openai(body=None), "body must be an object with messages, found None"),
    (openai(body={"mesages": []}), "body has no messages: is 'mesages' meant to be?"),
    (openai(url="/v1/embeddings"), "url must be /v1/chat/completions, found the string '/v1/embeddings'"),
    (openai(method="GET"), "method must be POST, found the string 'GET'"),
    (openai(custom="x"), "unknown key 'custom': did you mean 'custom_id'?"),
    (openai(body={"messages": [], "stream": True, "n": 2}), "body.stream: a batch does not stream; body.n: a request"),
]


@pytest.mark.parametrize(("line", "fault"), FAULTS)
def test_a_fault_says_what_is_wrong_on_one_line(line: Any, fault: str) -> None:
    row = only(line)
    assert row.request is None
    assert row.fault is not None
    assert row.fault.startswith(fault)
    assert "\n" not in row.fault


def test_a_body_of_openai_becomes_messages_tools_and_parameters() -> None:
    messages = [{"role": "user", "content": "hi"}]
    own = {
        "messages": messages,
        "tools": [{"type": "function"}],
        "tool_choice": "auto",
        "response_format": {"type": "x"},
    }
    body = {
        "model": "gpt-4o",
        **own,
        "max_completion_tokens": 9,
        "temperature": 0.5,
        "user": "u",
        "n": 1,
        "stream": False,
    }
    row = only(openai(body=body))
    params = {"max_tokens": 9, "temperature": 0.5, "user": "u"}
    assert row.request == GenerationRequest(custom_id="a", params=params, **own)
    assert row.write is write_openai


def test_lines_are_counted_with_the_blank_ones_and_a_byte_order_mark_is_no_part_of_them() -> None:
    rows = list(json_rows([b'\xef\xbb\xbf"a"\r\n', b"\n", b"  \t\r\n", b'"b\xe2\x80\xa8c"\n'], finish))
    assert [(row.line, row.request and row.request.prompt) for row in rows] == [(1, "a"), (4, "b\u2028c")]
    rows = list(text_rows([b"\xef\xbb\xbfa b\r\n", b"\n", b" c\n", b"\xff\n"], finish))
    assert [(row.line, row.request and row.request.prompt) for row in rows] == [(1, "a b"), (3, " c"), (4, None)]


def test_a_line_that_is_no_json_has_the_shape_of_the_line_before_and_a_bad_one_keeps_its_name() -> None:
    lines = [json.dumps(openai()).encode(), b"{oops", json.dumps(openai(body=3)).encode()]
    rows = list(json_rows(lines, finish))
    assert {row.write for row in rows} == {write_openai}
    assert [row.custom_id for row in rows] == ["a", None, "a"]


def test_what_a_line_says_itself_wins_over_the_command_line() -> None:
    complete = Defaults("chat", {"max_tokens": 5, "seed": 1}).complete
    assert complete(GenerationRequest("x")) == GenerationRequest("x", task="chat", params={"max_tokens": 5, "seed": 1})
    own = complete(GenerationRequest("x", task="code", params={"max_tokens": 9}))
    assert (own.task, own.params) == ("code", {"max_tokens": 9, "seed": 1})


def test_a_column_of_a_table_is_the_prompts_and_lines_are_those_of_the_file() -> None:
    rows = table('custom_id,prompt\n7,"two\nlines"\n\n8,one\n')
    assert [(row.line, row.custom_id) for row in rows] == [(2, "7"), (5, "8")]
    assert [row.request and row.request.prompt for row in rows] == ["two\nlines", "one"]
    (row,) = table("a,b\nx,y\n", "b", "a")
    assert row.request == GenerationRequest("y", custom_id="x")


def test_a_long_cell_is_read() -> None:
    (row,) = table(f"prompt\n{'x' * 300_000}\n")
    assert row.fault is None


def test_rows_that_do_not_fit_are_faults_and_the_next_one_is_read() -> None:
    rows = table('prompt,n\nx\nx,1,2\n,1\n"x"y,1\ngood,1\n\udcff,1\n')
    assert [row.fault for row in rows] == [
        "it has 1 cells, and the first line 2",
        "it has 3 cells, and the first line 2",
        "its column 'prompt' is empty",
        "it is no CSV: ',' expected after '\"'",
        None,
        "it is not UTF-8 text",
    ]


def test_a_column_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match=r"t\.csv has no column 'prompt': did you mean 'promt'"):
        table("id,promt\n")
    with pytest.raises(ConfigError, match="has no column 'prompt'\n  → Its columns: none"):
        table("")
