"""What the OpenAI-shaped wires turn down, in the words of recorded refusals."""

from random import Random
from typing import Any

import pytest

from flyllm.testing import Operation
from flyllm.testing.wires.base import BadRequest, ErrorKind
from flyllm.testing.wires.openai_chat import OpenAIChatWire
from flyllm.testing.wires.openai_responses import OpenAIResponsesWire

GOOD: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("extra", "param", "code", "message"),
    [
        ({"model": None}, None, None, "you must provide a model parameter"),
        ({"messages": None}, "messages", "missing_required_parameter", "Missing required parameter: 'messages'."),
        ({"messages": []}, "messages", "empty_array", "Invalid 'messages': empty array."),
        ({"messages": "Hi"}, "messages", "invalid_type", "expected an array of objects, but got a string instead."),
        ({"messages": ["Hi"]}, "messages[0]", "invalid_type", "expected an object, but got a string instead."),
        ({"messages": [{}]}, "messages[0].role", "missing_required_parameter", "'messages[0].role'"),
        # As recorded (a1eba5cb9130 in the recordings of OpenAI).
        (
            {"temperature": -1},
            "temperature",
            "decimal_below_min_value",
            "Invalid 'temperature': decimal below minimum value. Expected a value >= 0, but got -1 instead.",
        ),
        ({"top_p": 1.5}, "top_p", "decimal_above_max_value", "Expected a value <= 1, but got 1.5 instead."),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value", "integer below minimum value"),
        ({"max_tokens": "5"}, "max_tokens", "invalid_type", "expected an integer, but got a string instead."),
        ({"stream": "yes"}, "stream", "invalid_type", "expected a boolean"),
    ],
)
def test_refusals(extra: dict[str, Any], param: str | None, code: str | None, message: str) -> None:
    """A request with a fault is refused with the message, parameter and code that OpenAI uses."""
    wire = OpenAIChatWire()
    with pytest.raises(BadRequest) as caught:
        wire.read(Operation.CHAT, "/v1/chat/completions", {**GOOD, **extra})
    assert message in caught.value.message
    assert caught.value.param == param
    body = wire.error(caught.value.kind, caught.value.message, Random(1), caught.value.param).body
    assert (f'"code":"{code}"' if code else '"code":null').encode() in body


@pytest.mark.parametrize("extra", [{}, {"temperature": None}, {"stop": "x"}, {"stop": ["x"]}, {"n": 1}, {"own": 1}])
def test_what_is_fine_passes(extra: dict[str, Any]) -> None:
    """Null means absent, and fields the simulator does not know are the user's business."""
    call = OpenAIChatWire().read(Operation.CHAT, "/v1/chat/completions", {**GOOD, **extra})
    assert (call.model, call.prompt) == ("m", "Hi")


def test_prompts_are_all_texts() -> None:
    """The prompt of a call is the text of all messages, parts included; instructions come first."""
    image = {"type": "image_url", "image_url": {"url": "x"}}
    parts = [{"type": "text", "text": "a"}, image, {"type": "text", "text": "b"}]
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": parts}]
    messages.append({"role": "assistant", "content": ""})
    assert OpenAIChatWire().read(Operation.CHAT, "", {"model": "m", "messages": messages}).prompt == "s\na\nb"
    body = {"model": "m", "instructions": "s", "input": [{"role": "user", "content": "u"}]}
    assert OpenAIResponsesWire().read(Operation.CHAT, "", body).prompt == "s\nu"


def test_an_unknown_model_is_a_400_in_the_responses_api() -> None:
    """As recorded (7adcd33055cb in the recordings of OpenAI); chat completions say 404."""
    assert OpenAIResponsesWire().error(ErrorKind.MODEL_NOT_FOUND, None, Random(1)).status == 400
    assert OpenAIChatWire().error(ErrorKind.MODEL_NOT_FOUND, None, Random(1)).status == 404
