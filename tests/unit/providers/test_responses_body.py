"""Requests in the chat-completions shape say the same in the shape of the Responses API."""

from typing import Any

import pytest

from flyllm.providers.base import ProviderRequest
from flyllm.providers.registry import provider_spec
from flyllm.providers.responses_body import body, input_items

API = provider_spec("openai").api("responses")
USER = {"role": "user", "content": "Hi"}
SYSTEM = {"role": "system", "content": "Be brief."}


def built(messages: Any = (USER,), *, instructions: bool = True, **fields: Any) -> dict[str, Any]:
    return body(ProviderRequest("m", messages, **fields), API, instructions=instructions)


def test_a_plain_request() -> None:
    """Nothing is added that was not asked for, `store` least of all."""
    assert built() == {"model": "m", "input": [{"role": "user", "content": "Hi"}]}


def test_a_leading_system_message_becomes_instructions() -> None:
    """Only the first, only beside another message, and never over instructions that were given."""
    item = {"role": "system", "content": "Be brief."}
    assert built([SYSTEM, USER])["instructions"] == "Be brief."
    assert built([SYSTEM, USER])["input"] == [USER]
    assert built([SYSTEM, SYSTEM, USER])["input"] == [item, USER]
    assert built([USER, SYSTEM])["input"] == [USER, item]
    assert built([SYSTEM])["input"] == [item]
    assert built([SYSTEM, USER], instructions=False)["input"] == [item, USER]
    given = built([SYSTEM, USER], params={"instructions": "Mine."})
    assert (given["instructions"], given["input"]) == ("Mine.", [item, USER])


@pytest.mark.parametrize(
    ("message", "items"),
    [
        ({"role": "developer", "content": "x"}, [{"role": "developer", "content": "x"}]),
        (
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
            [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}],
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}]},
            [{"role": "user", "content": [{"type": "input_image", "image_url": "u", "detail": "low"}]}],
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "u"}]},
            [{"role": "user", "content": [{"type": "input_image", "image_url": "u"}]}],
        ),
        (
            {"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]},
            [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}],
        ),
        (
            {"role": "user", "content": [{"type": "input_text", "text": "own"}]},
            [{"role": "user", "content": [{"type": "input_text", "text": "own"}]}],
        ),
        ({"role": "assistant", "content": "x"}, [{"role": "assistant", "content": "x"}]),
        (
            {"role": "assistant", "content": [{"type": "text", "text": "x"}, {"type": "refusal", "refusal": "y"}]},
            [{"role": "assistant", "content": "xy"}],
        ),
        ({"role": "assistant", "content": None, "refusal": "No."}, [{"role": "assistant", "content": "No."}]),
        (
            {
                "role": "assistant",
                "content": "Look.",
                "tool_calls": [
                    {"id": "c1", "function": {"name": "f", "arguments": '{"a":1}'}},
                    {"id": "c2", "function": {"name": "g", "arguments": {"b": 2}}},
                    {"id": "c3", "function": {"name": "h"}},
                ],
            },
            [
                {"role": "assistant", "content": "Look."},
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
                {"type": "function_call", "call_id": "c2", "name": "g", "arguments": '{"b": 2}'},
                {"type": "function_call", "call_id": "c3", "name": "h", "arguments": "{}"},
            ],
        ),
        (
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
            [{"type": "function_call_output", "call_id": "c1", "output": "sunny"}],
        ),
        (
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "a"}]},
            [{"type": "function_call_output", "call_id": "c1", "output": "a"}],
        ),
        (
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "image_url", "image_url": {"url": "u"}}]},
            [
                {
                    "type": "function_call_output",
                    "call_id": "c1",
                    "output": [{"type": "input_image", "image_url": "u"}],
                }
            ],
        ),
        ({"type": "reasoning", "id": "rs_1", "summary": []}, [{"type": "reasoning", "id": "rs_1", "summary": []}]),
    ],
)
def test_messages_become_items(message: dict[str, Any], items: list[dict[str, Any]]) -> None:
    """Text, images, files, calls and their results; an item of this API stays as it is."""
    assert input_items(message) == items


def test_tools_and_their_choice_are_flattened() -> None:
    """A function is as strict as it was in chat completions: not, unless told; own tools stay."""
    own = {"type": "web_search"}
    function = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    tools = [
        {"type": "function", "function": function},
        {"type": "function", "function": {"name": "g", "strict": True}},
    ]
    got = built(tools=[*tools, own], tool_choice={"type": "function", "function": {"name": "f"}})
    empty = {"type": "object", "properties": {}}
    assert got["tools"] == [
        {"type": "function", "strict": False, **function},
        {"type": "function", "name": "g", "strict": True, "parameters": empty},
        own,
    ]
    assert got["tool_choice"] == {"type": "function", "name": "f"}
    assert built(tool_choice="required")["tool_choice"] == "required"
    assert built(tool_choice=own)["tool_choice"] == own


def test_parameters_go_where_this_api_has_them() -> None:
    """Common ones renamed, others untouched, reasoning and format beside what was given there."""
    got = built(
        params={"max_tokens": 9, "seed": 1, "store": False, "reasoning_effort": "low", "reasoning": {"summary": "auto"}}
    )
    assert got["max_output_tokens"] == 9
    assert got["store"] is False
    assert got["reasoning"] == {"effort": "low", "summary": "auto"}
    assert not {"seed", "max_tokens", "reasoning_effort"} & set(got)
    schema = {"name": "s", "schema": {"type": "object"}, "strict": True}
    shaped = built(
        params={"text": {"verbosity": "low"}}, response_format={"type": "json_schema", "json_schema": schema}
    )
    assert shaped["text"] == {"verbosity": "low", "format": {"type": "json_schema", **schema}}
    assert built(response_format={"type": "json_object"})["text"] == {"format": {"type": "json_object"}}


def test_the_request_is_left_as_it_was() -> None:
    """It may be sent again, elsewhere."""
    messages, params = [SYSTEM, USER], {"reasoning_effort": "low"}
    built(messages, params=params)
    assert (messages, params) == ([SYSTEM, USER], {"reasoning_effort": "low"})
